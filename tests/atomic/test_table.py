"""Atomic files come back as they were written."""
from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from recbole_medmoe.atomic import read_atomic, write_atomic
from recbole_medmoe.errors import DataError, MedMoEError

TYPES = {"user_id": "token", "age": "float", "codes": "token_seq", "values": "float_seq"}
FRAME = pd.DataFrame({"user_id": ["u1", "u2"], "age": [61.5, None], "codes": [["a", "b"], []],
                      "values": [[0.25, 2.0], []]})


def test_round_trip(tmp_path: Path) -> None:
    write_atomic(FRAME, TYPES, tmp_path / "x.user")
    back = read_atomic(tmp_path / "x.user")
    pd.testing.assert_frame_equal(back, FRAME.astype({"age": "float64"}))
    assert back.attrs["types"] == TYPES


def test_written_bytes(tmp_path: Path) -> None:
    write_atomic(FRAME, TYPES, tmp_path / "x.user")
    assert (tmp_path / "x.user").read_text() == (
        "user_id:token\tage:float\tcodes:token_seq\tvalues:float_seq\nu1\t61.5\ta b\t0.25 2\nu2\t\t\t\n")


def test_words_that_pandas_takes_for_missing_stay_words(tmp_path: Path) -> None:
    (tmp_path / "x.item").write_text("item_id:token\tgroup:token\ni1\tNA\n")
    assert read_atomic(tmp_path / "x.item")["group"].tolist() == ["NA"]


def test_ids_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    (tmp_path / "x.item").write_text("item_id:token\n007\n")
    assert read_atomic(tmp_path / "x.item")["item_id"].tolist() == ["007"]


def test_recbole_reads_the_same_cells(tmp_path: Path) -> None:
    write_atomic(FRAME, TYPES, tmp_path / "x.user")
    theirs = pd.read_csv(tmp_path / "x.user", delimiter="\t", engine="python", dtype={"user_id:token": str})
    assert theirs["codes:token_seq"].fillna("").tolist() == ["a b", ""]
    assert theirs["age:float"].isna().tolist() == [False, True]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="x.user: no such file"):
        read_atomic(tmp_path / "x.user")


def test_fault_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "x.user").write_text("user_id:token\tage:float\nu1\t1\nu2\told\n")
    with pytest.raises(DataError, match="x.user, line 3, column 'age': wrong type"):
        read_atomic(tmp_path / "x.user")


@pytest.mark.parametrize("value", ["a\tb", "a\nb", '"a'])
def test_cell_that_the_format_cannot_hold_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(DataError, match="row 0 of column 'name' holds a tab or a line break"):
        write_atomic(pd.DataFrame({"name": [value]}), {"name": "token"}, tmp_path / "x.item")
    assert not (tmp_path / "x.item").exists()


def test_part_of_a_sequence_with_a_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds a space"):
        write_atomic(pd.DataFrame({"codes": [["heart failure"]]}), {"codes": "token_seq"}, tmp_path / "x.user")


def test_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column \['age'\]"):
        write_atomic(pd.DataFrame({"user_id": ["u1"]}), {"user_id": "token", "age": "float"}, tmp_path / "x.user")


def test_full_disk_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(FRAME, TYPES, tmp_path / "x.user")
    before = (tmp_path / "x.user").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MedMoEError, match="No space left on device"):
        write_atomic(FRAME.iloc[:1], TYPES, tmp_path / "x.user")
    assert (tmp_path / "x.user").read_bytes() == before
