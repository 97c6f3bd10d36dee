"""Metrics of all top-K lists together (coverage, Gini, entropy) and of their popularity, as RecBole defines them."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray


def _recommended(items: Array) -> Array:
    """Times that each recommended item appears; [PAD] fills lists of users with fewer than K items and never counts."""
    counts = np.bincount(items.ravel())
    counts[:1] = 0
    return counts[counts > 0]


def item_coverage(items: Array, item_num: int) -> float:
    """Share of the internal item ids that appear in ``items`` [N, K]; RecBole's denominator counts [PAD]."""
    return len(_recommended(items)) / item_num


def gini_index(items: Array, item_num: int) -> float:
    """Inequality of how often items are recommended: 0 equal, near 1 always the same (10.1145/3308560.3317303)."""
    counts = np.sort(_recommended(items))
    if not len(counts):
        return 0.0
    rank = np.arange(item_num - len(counts) + 1, item_num + 1)
    return float(((2 * rank - item_num - 1) * counts).sum() / counts.sum() / item_num)


def shannon_entropy(items: Array, item_num: int) -> float:
    """Entropy of the recommended items, divided by their number as RecBole does (arXiv 1205.6700)."""
    counts = _recommended(items)
    if not len(counts):
        return 0.0
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum() / len(counts))


def list_distance(items: Array, item_num: int) -> float:
    """Mean over all pairs of lists in ``items`` [N, K] of 1 - (items in common) / K: 0 where everyone gets one list.

    Worked out from how often each item is listed, so that the cost is that of the lists and not of the pairs.
    """
    rows, depth = items.shape
    if rows < 2 or not items.any():
        return 0.0
    counts = np.bincount(items.ravel(), minlength=item_num).astype(np.float64)
    counts[0] = 0
    return float(1 - (counts * (counts - 1)).sum() / (rows * (rows - 1) * depth))


POOLED_METRICS: dict[str, Callable[[Array, int], float]] = {
    "itemcoverage": item_coverage, "giniindex": gini_index, "shannonentropy": shannon_entropy,
    "listdistance": list_distance}
POPULARITY_METRICS = ("averagepopularity", "tailpercentage")


def pooled_metrics(items: Array, item_num: int, metrics: Sequence[str], topk: Sequence[int]) -> dict[str, float]:
    """Values over all lists at once.

    Args:
        items: [N, K] internal item ids, 0 where a list is shorter.
        item_num: I with [PAD].
        metrics: names among ``POOLED_METRICS``, any case.
        topk: cut-offs, none above K.
    """
    return {f"{name.lower()}@{k}": POOLED_METRICS[name.lower()](items[:, :k], item_num)
            for name in metrics for k in topk}


def tail_items(train_counts: Array, tail_ratio: float | None) -> Array:
    """The long tail: [I] bool.

    Args:
        train_counts: [I] training rows of each item; items without any are outside the tail, as in RecBole.
        tail_ratio: share of the items if at most 1, else the highest count that is still tail; none or <= 0 is .1.
    """
    ratio = 0.1 if tail_ratio is None or tail_ratio <= 0 else tail_ratio
    seen = np.flatnonzero(train_counts)
    tail: Array = np.zeros(len(train_counts), dtype=bool)
    if ratio > 1:
        tail[seen[train_counts[seen] <= ratio]] = True
    else:
        order = seen[np.lexsort((seen, train_counts[seen]))]
        tail[order[:max(int(len(order) * ratio), 1)]] = True
    return tail


def popularity_metrics(items: Array, train_counts: Array, metrics: Sequence[str], topk: Sequence[int],
                       tail_ratio: float | None = None) -> dict[str, Array]:
    """Values per row of AveragePopularity and TailPercentage.

    Args:
        items: [N, K] internal item ids.
        train_counts: [I] training rows of each item.
        metrics: names among ``POPULARITY_METRICS``, any case.
        topk: cut-offs, none above K.
        tail_ratio: RecBole's ``tail_ratio``.

    Returns:
        ``{"averagepopularity@5": [N] float64, ...}``
    """
    columns: dict[str, Array] = {}
    ranks = np.arange(1, items.shape[1] + 1)
    for name in (metric.lower() for metric in metrics):
        weight = train_counts if name == "averagepopularity" else tail_items(train_counts, tail_ratio)
        values = weight[items].cumsum(axis=1) / ranks
        columns.update({f"{name}@{k}": np.ascontiguousarray(values[:, k - 1]) for k in topk})
    return columns
