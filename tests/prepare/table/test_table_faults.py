"""What users get wrong in tables and mappings, and names and values that only look wrong."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pandas as pd
import pytest

from recbole_medmoe.atomic import read_atomic
from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare import VisitOptions

Entries = dict[str, Any]
Tables = dict[str, list[list[str]]]
Prepare = Callable[..., dict[str, str]]
TAKEN = ["select", "group", "order", "table", "place", "began", "begins", "ended", "born", "number", "token", "patient",
         "drawn", "rank", "known", "visits", "drug", "code", "route", "given", "split", "part", "all", "kind"]


def _user(tmp_path: Path) -> pd.DataFrame:
    return read_atomic(tmp_path / "own" / "own.user")


def test_a_profile_column_may_have_any_name(prepare: Prepare, entries: Entries, tmp_path: Path) -> None:
    entries["visits"]["words"] = dict.fromkeys(TAKEN[::2], "ENCOUNTERCLASS")
    entries["visits"]["numbers"] = dict.fromkeys(TAKEN[1::2], "COST")
    prepare()
    users = _user(tmp_path)
    assert {name: set(users[name]) for name in TAKEN} == {**dict.fromkeys(TAKEN[::2], {"inpatient"}),
                                                          **dict.fromkeys(TAKEN[1::2], {12.5})}


@pytest.mark.parametrize("name", ["select", 'the "first" id', "patient_id"])
def test_a_column_of_the_tables_may_have_any_name(prepare: Prepare, entries: Entries, tables: Tables, tmp_path: Path,
                                                  name: str) -> None:
    tables["encounters"][0][0] = entries["visits"]["visit"] = name
    prepare()
    assert len(_user(tmp_path)) == 24


def test_a_column_without_a_name_is_passed_over(prepare: Prepare, tables: Tables, tmp_path: Path) -> None:
    tables["encounters"] = [["" if place == 0 else str(place), *row] for place, row in enumerate(tables["encounters"])]
    prepare()
    assert len(_user(tmp_path)) == 24


def test_one_column_may_be_named_twice_in_any_case(prepare: Prepare, entries: Entries, tmp_path: Path) -> None:
    entries["visits"]["words"] = {"kind": "ENCOUNTERCLASS", "class": " encounterclass"}
    prepare()
    assert set(_user(tmp_path)["class"]) == {"inpatient"}


def test_a_damaged_parquet_file_is_named(prepare: Prepare, entries: Entries, tmp_path: Path) -> None:
    (tmp_path / "conditions.parquet").write_bytes(b"PAR1 and no more")
    entries["diagnoses"]["file"] = "conditions.parquet"
    with pytest.raises(DataError, match=r"conditions\.parquet: not a whole Parquet file"):
        prepare()


def test_a_table_without_a_header_shows_no_record(prepare: Prepare, tables: Tables, tmp_path: Path) -> None:
    del tables["patients"][0]
    with pytest.raises(DataError, match="patients.csv: no column Id, BIRTHDATE, GENDER, nor any other") as fault:
        prepare()
    assert "q00" not in str(fault.value) and "1950" not in str(fault.value) and not (tmp_path / "own").exists()


@pytest.mark.parametrize("part", ["", "visits", "patients", "medications"])
@pytest.mark.parametrize("form", ["%Q", "%d.%m.%Y %", "", "DD.MM.YYYY"])
def test_what_is_no_form_of_times_is_refused(prepare: Prepare, entries: Entries, part: str, form: str) -> None:
    (entries[part] if part else entries)["times"] = form
    with pytest.raises(DataError, match=rf"mapping\.yaml: {part}\.?times: .* is no form of times .*; right: '%d"):
        prepare()


def test_the_date_of_birth_may_have_a_form_of_its_own(prepare: Prepare, entries: Entries, tables: Tables,
                                                      tmp_path: Path) -> None:
    for row in tables["patients"][1:]:
        row[1] = "1/6/1950"
    entries["patients"]["times"] = "%d/%m/%Y"
    prepare()
    assert set(_user(tmp_path)["age"]) == {59.0, 60.0}


def test_times_with_a_zone_are_ordered_by_their_moment(prepare: Prepare, entries: Entries, tables: Tables) -> None:
    for row in tables["encounters"][1:]:   # the second begins an hour after the end of the first, on an earlier clock
        row[1:3] = ["05.03.2010 10:00 +0200", "05.03.2010 11:00 +0200"] if row[0].endswith("0") else \
            ["05.03.2010 10:00 +0000", "05.03.2010 10:30 +0000"]
    entries["visits"]["times"] = "%d.%m.%Y %H:%M %z"
    assert prepare()["visits with an earlier visit known"] == "12"


@pytest.mark.parametrize(("table", "column", "told"), [
    ("encounters", "START", "95.8% of the cells of encounters.csv, column START, are no ISO times .* in `visits`"),
    ("patients", "BIRTHDATE", "91.7% of the cells of patients.csv, column BIRTHDATE, are no ISO times .* `patients`"),
    ("medications", "START", "of medications.csv, column START, are no ISO times .* in `medications`"),
    ("encounters", "COST", "of encounters.csv, column COST, are no numbers"),
])
def test_times_and_numbers_that_cannot_be_read_are_told(prepare: Prepare, tables: Tables, table: str, column: str,
                                                        told: str) -> None:
    place = tables[table][0].index(column)
    for row in tables[table][2:]:
        row[place] = "05.03.2010 (secret)"
    lines: list[str] = []
    prepare(progress=lines.append)
    warned = "\n".join(line for line in lines if line.startswith("warning"))
    assert pd.Series([warned]).str.contains(told).all() and "secret" not in warned


def test_times_that_are_seldom_given_are_no_fault(prepare: Prepare) -> None:
    lines: list[str] = []
    prepare(progress=lines.append)   # medications never end
    assert not [line for line in lines if line.startswith("warning")]


def test_codes_that_are_no_atc_codes_are_refused(prepare: Prepare, entries: Entries) -> None:
    entries["medications"]["system"] = "atc"
    with pytest.raises(DataError, match="48 of 48 codes of medications are no ATC codes .*`system` .*: local") as fault:
        prepare()
    assert "314076" not in str(fault.value)


def test_some_codes_that_are_no_atc_codes_are_left_out_and_told(prepare: Prepare, entries: Entries, tables: Tables,
                                                                tmp_path: Path) -> None:
    for row in tables["medications"][1:]:
        row[3] = {"314076": "C09AA03", "197361": "c08ca", "309362": "B01AC4"}[row[3]]
    entries["medications"]["system"] = "atc"
    lines: list[str] = []
    assert prepare(progress=lines.append)["orders whose drug is known"] == "32"
    assert [line for line in lines if "16 of 48 codes of medications are no ATC codes" in line and "B01AC4" not in line]
    assert list(read_atomic(tmp_path / "own" / "own.item")["item_id"]) == ["C08CA", "C09AA"]


def test_ids_that_meet_in_no_table_are_told_with_the_step(prepare: Prepare, tables: Tables, tmp_path: Path) -> None:
    for row in tables["conditions"][1:]:
        row[0] += ".0"
    with pytest.raises(DataError, match="no visit is left.* diagnoses of visits, each once: 0; .*Do all tables"):
        prepare()
    assert not (tmp_path / "own").exists()


def test_a_full_disk_is_told_with_the_folder(prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recbole_medmoe.prepare.visits.write.write_visit_texts", full)
    with pytest.raises(DataError, match=rf"{tmp_path}: cannot be written \(No space left on device\)"):
        prepare()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [*4 * [".csv"], ".yaml"]


def test_rows_that_cannot_be_ordered_by_letters_are_told(prepare: Prepare, entries: Entries) -> None:
    entries["visits"] = {"file": "encounters.csv", "visit": "Id", "patient": "PATIENT", "order": "ENCOUNTERCLASS"}
    del entries["patients"]["born"]
    lines: list[str] = []
    prepare(VisitOptions(min_item_visits=2), lines.append)
    assert [line for line in lines if "column ENCOUNTERCLASS, are no numbers" in line]
