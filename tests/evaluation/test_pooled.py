"""Pooled and popularity metrics against RecBole's own classes."""
from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from recbole_medmoe import compat
from recbole_medmoe.evaluation.pooled import (POOLED_METRICS, POPULARITY_METRICS, item_coverage, list_distance,
                                              pooled_metrics, popularity_metrics, tail_items)
from recbole_medmoe.metrics import WHOLE_METRICS

compat.apply()

TOPK = [2, 5]
ITEMS = 30


@pytest.fixture()
def lists() -> np.ndarray:
    generator = np.random.default_rng(5)
    weights = np.arange(1, ITEMS) / np.arange(1, ITEMS).sum()
    return np.stack([generator.choice(np.arange(1, ITEMS), size=5, replace=False, p=weights) for _ in range(40)])


@pytest.fixture()
def counts() -> np.ndarray:
    found = np.random.default_rng(6).integers(0, 9, ITEMS)
    found[0] = 0
    return found


def recboles(metric: str, lists: np.ndarray, counts: np.ndarray, tail_ratio: float | None) -> dict[str, float]:
    from recbole.evaluator.collector import DataStruct
    from recbole.evaluator.register import metrics_dict

    struct = DataStruct()
    struct.set("rec.items", torch.from_numpy(lists))
    struct.set("data.num_items", ITEMS)
    struct.set("data.count_items", Counter({item: int(count) for item, count in enumerate(counts) if count}))
    settings = {"metric_decimal_place": 12, "topk": TOPK, "tail_ratio": tail_ratio}
    return metrics_dict[metric](settings).calculate_metric(struct)


@pytest.mark.parametrize("metric", ["itemcoverage", "giniindex", "shannonentropy"])
def test_pooled_metrics_equal_recboles(metric: str, lists: np.ndarray, counts: np.ndarray) -> None:
    found = pooled_metrics(lists, ITEMS, [metric], TOPK)
    assert found == pytest.approx(recboles(metric, lists, counts, None), abs=1e-9)


@pytest.mark.parametrize("tail_ratio", [None, 0.4, 3])
@pytest.mark.parametrize("metric", POPULARITY_METRICS)
def test_means_of_popularity_metrics_equal_recboles(metric: str, tail_ratio: float | None, lists: np.ndarray,
                                                    counts: np.ndarray) -> None:
    found = popularity_metrics(lists, counts, [metric], TOPK, tail_ratio)
    means = {name: values.mean() for name, values in found.items()}
    assert means == pytest.approx(recboles(metric, lists, counts, tail_ratio), abs=1e-9)


def test_pad_at_the_end_of_a_short_list_is_not_recommended() -> None:
    assert item_coverage(np.array([[3, 0], [3, 0]]), 4) == 0.25


def test_lists_without_any_item_are_zero() -> None:
    assert set(pooled_metrics(np.zeros((2, 2), dtype=np.int64), 4, list(POOLED_METRICS), [2]).values()) == {0.0}


def test_the_tail_has_at_least_one_item() -> None:
    assert tail_items(np.array([0, 5, 2, 9]), 0.1).tolist() == [False, False, True, False]


def test_list_distance_equals_a_loop_over_all_pairs() -> None:
    lists = np.array([[1, 2, 3], [2, 3, 4], [5, 6, 7], [1, 2, 0]])
    pairs = [(a, b) for a in range(4) for b in range(a)]
    expected = np.mean([1 - len((set(lists[a]) & set(lists[b])) - {0}) / 3 for a, b in pairs])
    assert list_distance(lists, 9) == pytest.approx(expected, abs=1e-12)


def test_equal_lists_have_no_distance() -> None:
    assert list_distance(np.tile([3, 1, 2], (5, 1)), 4) == pytest.approx(0.0, abs=1e-12)


def test_metrics_without_values_per_row_are_known_by_name() -> None:
    assert WHOLE_METRICS == {*POOLED_METRICS, "ddirate", "trueddirate", "macroaccuracy"}
