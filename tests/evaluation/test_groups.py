"""Group tables."""
from __future__ import annotations

import numpy as np
import pytest

from recbole_medmoe.evaluation.groups import group_table

COLUMNS = {"ndcg@5": np.arange(10, dtype=np.float64)}


def test_a_group_has_the_mean_of_its_rows() -> None:
    mask = np.arange(10) >= 5
    assert group_table(COLUMNS, {"cold": mask}, min_group=5)["cold"] == (5, {"ndcg@5": 7.0})


def test_a_small_group_says_n_too_small() -> None:
    row = group_table(COLUMNS, {"rare": np.arange(10) == 3}, min_group=2)["rare"]
    assert (row.n, row.metrics, row.cell("ndcg@5")) == (1, None, "n too small")


def test_an_empty_group_has_no_mean_even_without_a_floor() -> None:
    assert group_table(COLUMNS, {"none": np.zeros(10, dtype=bool)}, min_group=0)["none"] == (0, None)


def test_patients_are_counted_not_rows() -> None:
    row = group_table(COLUMNS, {"all": np.ones(10, dtype=bool)}, min_group=6, clusters=np.repeat(np.arange(5), 2))
    assert row["all"] == (5, None)


def test_a_mask_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="10 rows"):
        group_table(COLUMNS, {"odd": np.ones(9, dtype=bool)})
