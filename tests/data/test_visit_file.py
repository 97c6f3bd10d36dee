"""What is asked of the ``.user`` file of visits."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.data.visit_file import read_frame, visits_of
from recbole_medmoe.errors import DataError


def _user(folder: Path) -> Path:
    return folder / f"{folder.name}.user"


def _change(folder: Path, line: int, column: str, value: str) -> None:
    rows = [row.split("\t") for row in _user(folder).read_text().split("\n")]
    place = [cell.split(":")[0] for cell in rows[0]].index(column)
    rows[line - 1][place] = value
    _user(folder).write_text("\n".join("\t".join(row) for row in rows))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tiny.user is missing: task medication reads"):
        read_frame(tmp_path / "tiny.user")


@pytest.mark.parametrize("old, new, told", [
    ("patient_id:token", "person:token", "column 'patient_id' is missing; task medication needs patient_id:token"),
    ("diag:token_seq", "diag:token", "column 'diag' is token; task medication needs diag:token_seq")])
def test_columns_are_asked_for_by_name_and_type(own_visits: Path, old: str, new: str, told: str) -> None:
    _user(own_visits).write_text(_user(own_visits).read_text().replace(old, new))
    with pytest.raises(DataError, match=told):
        read_frame(_user(own_visits))


def test_a_visit_of_the_interactions_without_a_line_is_told(own_visits: Path) -> None:
    with pytest.raises(DataError, match="1 visits of the interactions have no line in the .user file"):
        visits_of(read_frame(_user(own_visits)), ["[PAD]", "v001", "v999"])


@pytest.mark.parametrize("earlier, told", [
    ("v999", "a visit that has no line in this file"),
    ("v001", "a visit of another patient"),
    ("v003", "visits must stand oldest first, and each before this one, by visit_no")])
def test_an_earlier_visit_that_cannot_be_one_is_told_by_its_line(own_visits: Path, earlier: str, told: str) -> None:
    _change(own_visits, 4, "earlier", earlier)   # v003, after v002
    with pytest.raises(DataError, match=f"line 4, column 'earlier': {told}") as error:
        read_frame(_user(own_visits))
    assert "v00" not in str(error.value)


def test_earlier_visits_stand_oldest_first(own_visits: Path) -> None:
    _change(own_visits, 7, "earlier", "v005 v004")   # v006, the third in order
    with pytest.raises(DataError, match="line 7, column 'earlier': visits must stand oldest first"):
        read_frame(_user(own_visits))
