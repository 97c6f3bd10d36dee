"""Positives of one kind of item: against naive loops; and which pictures look like another item's."""
from __future__ import annotations

import math

import numpy as np
import pytest

from recbole_medmoe.evaluation import item_groups, reclassified

METRICS = ("Recall", "Hit", "NDCG", "Precision")
ITEMS = 12


def _naive(listed: list[int], wanted: set[int], k: int) -> dict[str, float]:
    """Metrics of one row whose positives are ``wanted``, by their definitions."""
    hits = [rank for rank, item in enumerate(listed[:k]) if item in wanted]
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted))))
    return {"recall": len(hits) / len(wanted), "hit": float(bool(hits)), "precision": len(hits) / k,
            "ndcg": sum(1 / math.log2(rank + 2) for rank in hits) / ideal}


def test_metrics_equal_a_loop_over_rows() -> None:
    noise = np.random.default_rng(0)
    users = noise.permutation(np.arange(1, 31))
    lists = np.stack([noise.permutation(np.arange(1, ITEMS))[:5] for _ in users])
    lists[3, 3:] = 0  # a list that ends early
    wanted = {int(user): set(noise.choice(np.arange(1, ITEMS), size=1 + noise.integers(4), replace=False).tolist())
              for user in users}
    pairs = [(user, item) for user, items in wanted.items() for item in items]
    mask = noise.random(ITEMS) < 0.4
    positives = np.array([user for user, _ in pairs]), np.array([item for _, item in pairs])
    found = item_groups(users, lists, positives, {"some": mask}, metrics=METRICS, topk=(2, 5), min_group=1)["some"]
    for row, user in enumerate(users.tolist()):
        of_kind = {item for item in wanted[user] if mask[item]}
        assert found.rows[row] == bool(of_kind)
        for k in (2, 5):
            for name, value in (_naive(lists[row].tolist(), of_kind, k) if of_kind else {}).items():
                assert found.columns[f"{name}@{k}"][row] == pytest.approx(value, abs=1e-12)
    assert found.line.n == found.rows.sum() and found.line.metrics is not None
    assert found.line.metrics["ndcg@5"] == pytest.approx(np.nanmean(found.columns["ndcg@5"]))


def test_a_row_without_such_a_positive_has_no_value() -> None:
    found = item_groups(np.array([1, 2]), np.array([[3], [4]]), (np.array([1, 2]), np.array([3, 4])),
                        {"third": np.arange(6) == 3}, metrics=("Recall",), topk=(1,), min_group=1)["third"]
    assert found.rows.tolist() == [True, False] and math.isnan(found.columns["recall@1"][1])


def test_a_pair_that_comes_twice_counts_once() -> None:
    found = item_groups(np.array([1]), np.array([[3, 4]]), (np.array([1, 1]), np.array([3, 3])),
                        {"third": np.arange(6) == 3}, metrics=("Recall",), topk=(2,), min_group=1)["third"]
    assert found.columns["recall@2"].tolist() == [1.0]


@pytest.mark.parametrize("floor", [1, 20])
def test_a_kind_that_nobody_wants_has_no_mean(floor: int) -> None:
    found = item_groups(np.array([1]), np.array([[3]]), (np.array([1]), np.array([3])),
                        {"none": np.zeros(6, dtype=bool)}, metrics=("Recall",), topk=(1,), min_group=floor)["none"]
    assert found.line == (0, None)


def test_a_picture_nearer_to_another_items_is_reclassified() -> None:
    catalogue = np.array([[0, 0], [1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    shown = np.array([[0, 0], [3, 1], [5, 4], [0, 0]], dtype=np.float32)
    there = np.array([False, True, True, False])
    assert reclassified(shown, there, catalogue, np.array([False, True, True, True])).tolist() == [
        False, False, True, False]


def test_items_with_one_picture_between_them_are_recognised() -> None:
    same = np.array([[0, 0], [1, 2], [1, 2]], dtype=np.float32)
    there = np.array([False, True, True])
    assert not reclassified(same, there, same, there).any()


def test_an_item_without_a_catalogue_picture_is_taken_for_another() -> None:
    features, there = np.eye(3, dtype=np.float32), np.array([False, True, True])
    assert reclassified(features, there, features, np.array([False, True, False])).tolist() == [False, False, True]


def test_no_picture_shown_is_no_picture_reclassified() -> None:
    features = np.eye(3, dtype=np.float32)
    assert not reclassified(features, np.zeros(3, dtype=bool), features, np.ones(3, dtype=bool)).any()
