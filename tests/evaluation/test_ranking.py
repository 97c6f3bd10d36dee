"""Ranking metrics per row: brute force and RecBole's own classes as references."""
from __future__ import annotations

import math

import numpy as np
import pytest

from recbole_medmoe import compat
from recbole_medmoe.evaluation.ranking import ROW_METRICS, rank_metrics

compat.apply()

TOPK = [1, 3, 5, 12]


def brute_force(ranked: list[int], positives: set[int], k: int) -> dict[str, float]:
    hits = [item in positives for item in ranked[:k]]
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(positives))))
    gained = sum(sum(hits[:place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit)
    return {"recall": sum(hits) / len(positives), "precision": sum(hits) / k, "hit": float(any(hits)),
            "mrr": 1 / (hits.index(True) + 1) if any(hits) else 0.0,
            "ndcg": sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit) / ideal,
            "map": gained / min(k, len(positives))}


@pytest.fixture()
def rows() -> tuple[np.ndarray, list[set[int]]]:
    """Lists of 12 out of 40 items for 60 rows; rows have 1 to 20 positives, so that k lies above and below."""
    generator = np.random.default_rng(3)
    lists = np.stack([generator.permutation(np.arange(1, 41))[:12] for _ in range(60)])
    positives = [set(generator.choice(np.arange(1, 41), size=1 + row % 20, replace=False).tolist())
                 for row in range(60)]
    return lists, positives


def hits_of(lists: np.ndarray, positives: list[set[int]]) -> np.ndarray:
    return np.array([[item in positives[row] for item in lists[row]] for row in range(len(lists))])


@pytest.mark.parametrize("metric", list(ROW_METRICS))
def test_each_row_equals_brute_force(metric: str, rows: tuple[np.ndarray, list[set[int]]]) -> None:
    lists, positives = rows
    columns = rank_metrics(hits_of(lists, positives),
                           np.array([len(items) for items in positives]), [metric], TOPK)
    for k in TOPK:
        expected = [brute_force(lists[row].tolist(), positives[row], k)[metric] for row in range(60)]
        np.testing.assert_allclose(columns[f"{metric}@{k}"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", list(ROW_METRICS))
def test_each_row_equals_recboles_metric_class(metric: str, rows: tuple[np.ndarray, list[set[int]]]) -> None:
    from recbole.config import Config
    from recbole.evaluator.register import metrics_dict

    Config.compatibility_settings(None)  # RecBole's metrics use NumPy's old names, which its Config sets
    lists, positives = rows
    hits = hits_of(lists, positives)
    counts = np.array([len(items) for items in positives])
    theirs = metrics_dict[metric]({"metric_decimal_place": 4, "topk": TOPK})
    needs_counts = metric in ("recall", "ndcg", "map")
    expected = theirs.metric_info(hits, counts) if needs_counts else theirs.metric_info(hits)
    columns = rank_metrics(hits, counts, [metric], TOPK)
    for k in TOPK:
        np.testing.assert_allclose(columns[f"{metric}@{k}"], expected[:, k - 1], rtol=0, atol=1e-12)


def test_a_row_without_positives_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one positive"):
        rank_metrics(np.zeros((1, 3)), np.array([0]), ["Recall"], [3])


def test_a_cut_off_above_the_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="length 3"):
        rank_metrics(np.zeros((1, 3)), np.array([1]), ["Recall"], [5])


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="'recal' is no ranking metric"):
        rank_metrics(np.zeros((1, 3)), np.array([1]), ["Recal"], [3])
