from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pandas as pd
import pytest

from recbole_medmoe.atomic import check_manifest, read_atomic, read_manifest, validate_folder
from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare import VisitOptions

Entries = dict[str, Any]
Tables = dict[str, list[list[str]]]
Prepare = Callable[..., dict[str, str]]
DRUGS = {"314076": "lisinopril 10 MG Oral Tablet", "197361": "amlodipine 5 MG Oral Tablet",
         "309362": "clopidogrel 75 MG Oral Tablet"}


def _read(tmp_path: Path, ending: str) -> pd.DataFrame:
    return read_atomic(tmp_path / "own" / f"own.{ending}")


def test_the_folder_keeps_the_rules_of_a_data_set(prepare: Prepare, tmp_path: Path) -> None:
    prepare()
    assert not validate_folder(tmp_path / "own") and not check_manifest(tmp_path / "own")


def test_visits_codes_and_profile_are_read(prepare: Prepare, tmp_path: Path) -> None:
    prepare()
    users = _read(tmp_path, "user")
    assert len(users) == 24 and users["patient_id"].nunique() == 12
    assert set(users["diag"].explode()) == {"38341003"}
    assert {name: set(users[name]) for name in ("age", "cost", "sex", "encounter_class")} == \
        {"age": {59.0, 60.0}, "cost": {12.5}, "sex": {"F"}, "encounter_class": {"inpatient"}}
    assert (users["earlier"].str.len() == users["visit_no"] - 1).all()


def test_drugs_are_found_in_their_names(prepare: Prepare, tmp_path: Path) -> None:
    prepare()
    assert list(_read(tmp_path, "item")["item_id"]) == ["B01AC", "C08CA", "C09AA"]


def test_rxnorm_codes_are_mapped(prepare: Prepare, entries: Entries, tmp_path: Path) -> None:
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes" / "RxNorm_to_ATC.csv").write_text("RxNorm,ATC\n314076,C09AA03\n197361,C08CA01\n")
    entries["medications"] |= {"system": "rxnorm", "name": None}
    prepare(VisitOptions(min_item_visits=2, codes_dir=tmp_path / "codes"))
    assert list(_read(tmp_path, "item")["item_id"]) == ["C08CA", "C09AA"]


def test_codes_without_map_and_names_are_refused(prepare: Prepare, entries: Entries) -> None:
    entries["medications"] |= {"system": "rxnorm", "name": None}
    with pytest.raises(DataError, match="medications of system rxnorm need a map"):
        prepare()


def test_local_codes_are_the_items(prepare: Prepare, entries: Entries, tmp_path: Path) -> None:
    entries["medications"]["system"] = "local"
    prepare()
    items = _read(tmp_path, "item")
    assert dict(zip(items["item_id"], items["name"])) == DRUGS


def test_atc_codes_are_taken_as_they_are(prepare: Prepare, entries: Entries, tables: Tables, tmp_path: Path) -> None:
    for row in tables["medications"][1:]:
        row[3] = {"314076": "C09AA03", "197361": "c08ca01", "309362": "B01AC04"}[row[3]]
    entries["medications"]["system"] = "atc"
    prepare(VisitOptions(codes="atc5", min_item_visits=2))
    assert list(_read(tmp_path, "item")["item_id"]) == ["B01AC04", "C08CA01", "C09AA03"]


def test_a_number_may_order_the_visits(prepare: Prepare, entries: Entries, tables: Tables, tmp_path: Path) -> None:
    tables["encounters"] = [[*row[:5], "COST" if row[0] == "Id" else row[0][-1]] for row in tables["encounters"]]
    entries["visits"] = {"file": "encounters.csv", "visit": "Id", "patient": "PATIENT", "order": "COST"}
    del entries["patients"]["born"]
    prepare()
    assert sorted(_read(tmp_path, "user")["earlier"].str.len()) == [0] * 12 + [1] * 12


@pytest.mark.parametrize("number", ["NaN", "inf", "-inf", ""])
def test_a_visit_whose_number_is_none_has_no_order(number: str, prepare: Prepare, entries: Entries, tables: Tables,
                                                   tmp_path: Path) -> None:
    tables["encounters"] = [[*row[:5], "COST" if row[0] == "Id" else number if row[0] == "e00" else row[0][-1]]
                            for row in tables["encounters"]]
    entries["visits"] = {"file": "encounters.csv", "visit": "Id", "patient": "PATIENT", "order": "COST"}
    del entries["patients"]["born"]
    prepare()
    assert sorted(_read(tmp_path, "user")["earlier"].str.len()) == [0] * 13 + [1] * 11


@pytest.mark.parametrize(("place", "message"), [
    ("medications", "items called 'NA'"), ("conditions", "codes called 'NA'")])
def test_a_code_that_readers_take_for_missing_is_refused(place: str, message: str, prepare: Prepare, entries: Entries,
                                                         tables: Tables, tmp_path: Path) -> None:
    entries["medications"]["system"] = "local"
    where = tables[place][0].index("CODE")
    for row in tables[place][1:]:
        row[where] = {"314076": "NA", "38341003": "NA"}.get(row[where], row[where])
    with pytest.raises(DataError, match=message):
        prepare()
    assert not (tmp_path / "own").exists()


def test_times_of_another_form_are_read(prepare: Prepare, entries: Entries, tables: Tables) -> None:
    for row in tables["encounters"][1:]:
        row[1:3] = ["05.03.2010", "06.03.2010"] if row[0].endswith("0") else ["05.03.2011", "06.03.2011"]
    del entries["patients"]["born"]
    entries["times"] = "%d.%m.%Y"
    assert prepare()["visits with an earlier visit known"] == "12"


def test_the_version_stands_before_its_code(prepare: Prepare, entries: Entries, tables: Tables, tmp_path: Path) -> None:
    tables["conditions"] = [[*row, "V" if row[0] == "ENCOUNTER" else "icd10"] for row in tables["conditions"]]
    entries["diagnoses"]["version"] = "V"
    prepare()
    assert set(_read(tmp_path, "user")["diag"].explode()) == {"icd10_38341003"}


def test_visits_of_unknown_patients_are_dropped_and_counted(prepare: Prepare, tables: Tables) -> None:
    del tables["patients"][3]
    summary = prepare()
    assert (summary["visits read"], summary["visits of a known patient"]) == ("24", "22")


def test_parquet_is_read(prepare: Prepare, entries: Entries, tables: Tables, tmp_path: Path) -> None:
    rows = tables.pop("conditions")
    pd.DataFrame(rows[1:], columns=rows[0]).to_parquet(tmp_path / "conditions.parquet")
    entries["diagnoses"]["file"] = "conditions.parquet"
    assert prepare()["visits with a diagnosis"] == "24"


def test_records_are_closed_unless_the_mapping_says_otherwise(prepare: Prepare, tmp_path: Path) -> None:
    prepare()
    assert read_manifest(tmp_path / "own").derived_from_credentialed


def test_open_records_are_told(prepare: Prepare, entries: Entries, tmp_path: Path) -> None:
    entries |= {"open": True, "title": "Synthea", "licence": "CC0", "source": "synthea.mitre.org"}
    prepare()
    manifest = read_manifest(tmp_path / "own")
    assert (manifest.derived_from_credentialed, manifest.title, manifest.licence) == (False, "Synthea", "CC0")


def test_an_unknown_column_is_named_with_its_file(prepare: Prepare, entries: Entries, tmp_path: Path) -> None:
    entries["visits"]["begin"] = "STARTED"
    with pytest.raises(DataError, match="encounters.csv: no column STARTED; did you mean 'start'"):
        prepare()
    assert not (tmp_path / "own").exists()


def test_a_missing_file_is_named(prepare: Prepare, entries: Entries) -> None:
    entries["diagnoses"]["file"] = "absent.csv"
    with pytest.raises(DataError, match="absent.csv: no such file"):
        prepare()


def test_a_visit_with_two_contents_is_refused(prepare: Prepare, tables: Tables) -> None:
    tables["encounters"].append([*tables["encounters"][1][:4], "ambulatory", "1"])
    with pytest.raises(DataError, match="encounters.csv: 1 rows repeat a visit id with other contents"):
        prepare()
