"""Ranking metrics of each row from its top-K list, by RecBole's definitions (``recbole/evaluator/metrics.py``)."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray


def _recall(hits: Array, positives: Array) -> Array:
    return hits.sum(axis=0) / positives


def _precision(hits: Array, positives: Array) -> Array:
    return hits.sum(axis=0) / len(hits)


def _hit(hits: Array, positives: Array) -> Array:
    return hits.max(axis=0)


def _mrr(hits: Array, positives: Array) -> Array:
    return (hits / np.arange(1, len(hits) + 1)[:, None]).max(axis=0)


def _ndcg(hits: Array, positives: Array) -> Array:
    discount = 1.0 / np.log2(np.arange(2, len(hits) + 2))
    return discount @ hits / discount.cumsum()[np.minimum(positives, len(hits)) - 1]


def _map(hits: Array, positives: Array) -> Array:
    # RecBole divides by min(|R(u)|, k), the number of positives that a list of length k can hold.
    precisions = hits.cumsum(axis=0) / np.arange(1, len(hits) + 1)[:, None]
    return (precisions * hits).sum(axis=0) / np.minimum(positives, len(hits))


# Each takes the first k ranks of all lists, [k, N] of 0 and 1 with the rank outside, so that sums down a list run
# over whole vectors of rows; and the number of positives of each row, [N].
ROW_METRICS: dict[str, Callable[[Array, Array], Array]] = {
    "recall": _recall, "mrr": _mrr, "ndcg": _ndcg, "hit": _hit, "precision": _precision, "map": _map}


def rank_metrics(hits: Array, positives: Array, metrics: Sequence[str], topk: Sequence[int]) -> dict[str, Array]:
    """Values per row of top-K metrics.

    Args:
        hits: [N, K] bool, whether the item at that rank is a positive of the row.
        positives: [N] number of positives of the row, in the list or not; at least 1.
        metrics: names among ``ROW_METRICS``, any case.
        topk: cut-offs, none above K.

    Returns:
        ``{"recall@5": [N] float64, ...}`` in the order of ``metrics``, then of ``topk``.

    Raises:
        ValueError: a row without positives, a cut-off above K, or a metric that is not one of these.
    """
    hits, positives = np.asarray(hits, dtype=bool), np.asarray(positives, dtype=np.int64)
    if len(positives) and positives.min() < 1:
        raise ValueError("every row needs at least one positive")
    if max(topk) > hits.shape[1] or min(topk) < 1:
        raise ValueError(f"cut-offs {list(topk)} do not fit lists of length {hits.shape[1]}")
    by_rank = np.ascontiguousarray(hits.T, dtype=np.float64)
    columns: dict[str, Array] = {}
    for name in (metric.lower() for metric in metrics):
        if name not in ROW_METRICS:
            raise ValueError(f"'{name}' is no ranking metric; known: {', '.join(ROW_METRICS)}")
        columns.update({f"{name}@{k}": ROW_METRICS[name](by_rank[:k], positives) for k in topk})
    return columns


LIFT = "popularitylift"


def popularity_lift(hits: Array, popular_hits: Array, topk: Sequence[int]) -> dict[str, Array]:
    """Precision per row above that of the list of the most popular items: what a list owes to knowing the user.

    Args:
        hits: [N, K] bool, as in :func:`rank_metrics`.
        popular_hits: [N, K] bool, the same for the most popular items that the row may be given.
        topk: cut-offs, none above K.

    Returns:
        ``{"popularitylift@5": [N] float64, ...}``, between -1 and 1.
    """
    gained = hits.astype(np.float64).cumsum(axis=1) - popular_hits.astype(np.float64).cumsum(axis=1)
    return {f"{LIFT}@{k}": gained[:, k - 1] / k for k in topk}
