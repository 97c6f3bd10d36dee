"""Rows come back as they were written, and ids can be hidden."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recbole_medmoe.errors import RecordError
from recbole_medmoe.store import hashed_ids, read_rows, write_rows

COLUMNS = {"row": ["u1", "u2"], "group:cold": np.array([True, False]), "map@5": np.array([0.1, 1 / 3]),
           "n": np.array([3, 4]), "topk": [["kiwi", "milk"], []]}


def test_round_trip(tmp_path: Path) -> None:
    write_rows(tmp_path, COLUMNS)
    back = read_rows(tmp_path)
    assert list(back) == list(COLUMNS) and back["row"] == ["u1", "u2"] and back["topk"] == [["kiwi", "milk"], []]
    for name in ("group:cold", "map@5", "n"):
        assert back[name].dtype == COLUMNS[name].dtype and (back[name] == COLUMNS[name]).all()


def test_columns_of_different_lengths(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="columns of different lengths {'a': 1, 'b': 2}"):
        write_rows(tmp_path, {"a": [1], "b": [1, 2]})


def test_mixed_values(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="rows.parquet: cannot be written"):
        write_rows(tmp_path, {"a": ["x", 1]})


def test_missing_rows(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="rows.parquet: no such file"):
        read_rows(tmp_path)


@pytest.mark.parametrize("kept", [0, 3, 100])
def test_truncated_rows(tmp_path: Path, kept: int) -> None:
    path = write_rows(tmp_path, COLUMNS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RecordError, match="rows.parquet: truncated or no parquet file"):
        read_rows(tmp_path)


def test_hidden_ids_pair_under_one_salt_only(tmp_path: Path) -> None:
    first, again = (hashed_ids(["p1", "p2"], tmp_path / "a" / ".salt") for _ in range(2))
    other = hashed_ids(["p1", "p2"], tmp_path / "b" / ".salt")
    assert first == again and len(set(first + other)) == 4 and "p1" not in "".join(first)


def test_salt_is_the_owners(tmp_path: Path) -> None:
    hashed_ids(["p1"], tmp_path / ".salt")
    assert (tmp_path / ".salt").stat().st_mode & 0o777 == 0o600
