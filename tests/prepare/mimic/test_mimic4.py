from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from recbole_medmoe.atomic import check_manifest, read_atomic, validate_folder
from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare import VisitOptions, prepare_mimic4

Rows = dict[str, list[list[str]]]
Write = Callable[..., Path]
FEW = VisitOptions(min_item_visits=2)


def _prepare(raw: Path, out: Path, **more: Any) -> dict[str, str]:
    return prepare_mimic4(raw, out, lambda line: None, FEW, **more)


@pytest.fixture
def made(write4: Write, tmp_path: Path) -> Path:
    _prepare(write4(ending=".csv.gz"), tmp_path / "m4")
    return tmp_path / "m4"


def test_the_folder_keeps_the_rules_of_a_data_set(made: Path) -> None:
    assert not validate_folder(made) and not check_manifest(made)


def test_both_versions_of_codes_stand_side_by_side(made: Path) -> None:
    assert set(read_atomic(made / "m4.user")["diag"].explode()) == {"icd9_4280", "icd10_I509"}
    assert (made / "codes.csv").read_text().splitlines()[1:] == [
        'diag,icd10_I509,"Heart failure, unspecified"', "diag,icd9_4280,Congestive heart failure",
        "proc,icd10_02HV33Z,Insertion of infusion device"]


def test_the_age_moves_with_the_year(made: Path) -> None:
    users = read_atomic(made / "m4.user")
    assert set(users[users["visit_no"] == 1]["age"]) == {60.0} and set(users[users["visit_no"] == 2]["age"]) == {61.0}


def test_race_is_a_profile_column(made: Path) -> None:
    assert set(read_atomic(made / "m4.user")["race"]) == {"WHITE"}


def test_only_admissions_with_intensive_care(write4: Write, tmp_path: Path) -> None:
    summary = _prepare(write4(), tmp_path / "m4", icu_only=True)
    assert summary["admissions read"] == "24"


def test_without_the_icu_tables_all_else_works(write4: Write, rows4: Rows, tmp_path: Path) -> None:
    del rows4["icu/icustays"]
    assert _prepare(write4(), tmp_path / "m4")["admissions read"] == "36"


def test_intensive_care_alone_needs_its_table(write4: Write, rows4: Rows, tmp_path: Path) -> None:
    del rows4["icu/icustays"]
    with pytest.raises(DataError, match="no table 'icu/icustays'"):
        _prepare(write4(), tmp_path / "m4", icu_only=True)


def test_a_folder_without_hosp_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder hosp/"):
        _prepare(tmp_path, tmp_path / "m4")


def test_a_missing_column_is_named_with_its_table(write4: Write, tmp_path: Path) -> None:
    raw = write4()
    path = raw / "hosp" / "diagnoses_icd.csv"
    path.write_text(path.read_text().replace("icd_version", "version", 1))
    with pytest.raises(DataError, match="diagnoses_icd.csv: no column icd_version"):
        _prepare(raw, tmp_path / "m4")
