"""Pooled metrics from two columns."""
from __future__ import annotations

import numpy as np
import pytest

from recbole_medmoe.evaluation.comparison import compare
from recbole_medmoe.evaluation.groups import group_table
from recbole_medmoe.evaluation.ratios import means, ratio_columns, ratio_names
from recbole_medmoe.evaluation.statistics import ratio_interval

ABOVE, BELOW = np.array([1, 0, 2, 3.0]), np.array([2, 4, 2, 8.0])
COLUMNS = {"f1": np.array([.1, .2, .3, .4]), **ratio_columns("ddirate", ABOVE, BELOW)}


def test_a_pooled_metric_is_the_ratio_of_the_sums_and_not_the_mean_of_ratios() -> None:
    assert means(COLUMNS) == pytest.approx({"f1": .25, "ddirate": 6 / 16})


def test_only_the_rows_of_a_group_count() -> None:
    inside = np.array([True, True, False, False])
    assert group_table(COLUMNS, {"few": inside}, min_group=1)["few"].metrics == pytest.approx(
        {"f1": .15, "ddirate": 1 / 6})


def test_a_ratio_of_nothing_is_left_out() -> None:
    assert means(ratio_columns("ddirate", np.zeros(2), np.zeros(2))) == {}


def test_half_of_a_pair_of_columns_is_no_metric() -> None:
    assert ratio_names(["ddirate/numerator"]) == []


def test_a_comparison_draws_patients_for_a_pooled_metric_too() -> None:
    rows, patients = np.arange(4), {0: "a", 1: "a", 2: "b", 3: "c"}
    found = compare({"A": [(rows, COLUMNS)]}, "f1", clusters=patients, draws=200)["A"]
    expected = ratio_interval(ABOVE, BELOW, np.array(list(patients.values())), 200)
    np.testing.assert_allclose(found.intervals["ddirate"], expected)
    assert set(found.intervals) == {"f1", "ddirate"}


def test_seeds_of_a_pooled_metric_are_averaged_per_row_and_spread_apart() -> None:
    rows = np.arange(4)
    other = {"f1": COLUMNS["f1"], **ratio_columns("ddirate", ABOVE * 0, BELOW * 3)}
    found = compare({"A": [(rows, COLUMNS), (rows, other)]}, "f1", draws=20)["A"]
    assert found.intervals["ddirate"].mean == pytest.approx(3 / 32)
    assert found.spread["ddirate"] == pytest.approx(np.std([6 / 16, 0], ddof=1))
