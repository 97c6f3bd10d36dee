"""Vectors that were made elsewhere, and the ids of their rows."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbole_medmoe.atomic import read_vectors, vectors_path, write_vectors
from recbole_medmoe.errors import DataError

KNOWN = ["apple", "banana", "cherry", "date"]


def _matrix(rows: int, *spoiled: int) -> np.ndarray:
    matrix = np.arange(2.0 * rows).reshape(rows, 2)
    matrix[list(spoiled), 1] = np.nan
    return matrix


def test_vectors_come_back_with_their_ids_and_an_item_may_have_none(tmp_path: Path) -> None:
    write_vectors(tmp_path, "item", "image", KNOWN[::-1][:3], _matrix(3))
    ids, rows = read_vectors(tmp_path, "item", "image", KNOWN)
    assert ids == ["date", "cherry", "banana"] and rows.dtype == np.float32
    assert np.array_equal(rows, _matrix(3).astype(np.float32))


@pytest.mark.parametrize("ids, matrix, told", [
    (["apple", "plum", "banana", "zucchini"], _matrix(4), "2 of 4 ids are no item of the data set: 'plum', 'zucchini'"),
    (KNOWN, _matrix(3), "3 rows, and item.image.json names 4 ids; the first id without a row is 'date'"),
    (KNOWN[:2], _matrix(4), "4 rows, and item.image.json names 2 ids; the first row without an id is row 2"),
    (["apple", "apple"], _matrix(2), "ids are a list of distinct texts"),
    (KNOWN, _matrix(4, 1, 3), r"item.image.npy: 2 of 4 rows hold values that are not finite \(NaN, infinity\), row 1, "
                              "row 3 counted from 0")])
def test_what_does_not_fit_is_named_with_its_first_rows_or_ids(ids: list[str], matrix: Any, told: str,
                                                               tmp_path: Path) -> None:
    write_vectors(tmp_path, "item", "image", ids, matrix)
    with pytest.raises(DataError, match=told):
        read_vectors(tmp_path, "item", "image", KNOWN)


@pytest.mark.parametrize("gone, told", [(".npy", "item.image.npy is missing"), (".json", "item.image.json is missing")])
def test_a_missing_file_is_called_missing(gone: str, told: str, tmp_path: Path) -> None:
    write_vectors(tmp_path, "item", "image", KNOWN, _matrix(4))
    vectors_path(tmp_path, "item", "image").with_suffix(gone).unlink()
    with pytest.raises(DataError, match=told):
        read_vectors(tmp_path, "item", "image", KNOWN)
