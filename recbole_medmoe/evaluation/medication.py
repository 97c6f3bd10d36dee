"""Metrics of medication sets, a value per visit, and the threshold that turns scores into sets.

N visits (rows), M medications. Every function works on whole matrices; the tests hold each against scikit-learn or a
plain loop. Definitions as in SafeDrug (https://arxiv.org/abs/2105.02711) and LEADER (https://arxiv.org/abs/2402.02803).
"""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import TrainingError

Array = np.ndarray

_CELLS = 1 << 18   # scores that are sorted at once, so that memory does not grow with the visits


def average_precision(scores: Array, truth: Array) -> Array:
    """PRAUC of each visit: the mean, over its medications, of the precision at their rank.

    Medications of equal score share the rank of the last of them, as in scikit-learn's ``average_precision_score``.

    Args:
        scores: [N, M], higher means more likely.
        truth: [N, M] bool, at least one medication in each row.

    Returns:
        [N] between 0 and 1.

    Raises:
        ValueError: shapes that differ, or a row without a medication.
        TrainingError: scores that are not numbers.
    """
    _check(scores, truth)
    found: Array = np.empty(len(scores))
    for block in _blocks(*scores.shape):
        found[block] = _average_precision(scores[block], truth[block])
    return found


def _average_precision(scores: Array, truth: Array) -> Array:
    values, hits = _ranked(scores, truth)
    rows, ranks = np.nonzero(hits)
    counts = hits.sum(axis=1)
    first = np.cumsum(counts) - counts   # where a row's hits begin in the list of all hits
    ends = ranks
    found = np.arange(1, len(rows) + 1) - first[rows]
    tied = values[:, 1:] == values[:, :-1]
    if tied.any():
        places = np.arange(values.shape[1])
        last = np.where(np.pad(tied, ((0, 0), (0, 1))), len(places), places)
        ends = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1][rows, ranks]
        found = hits.cumsum(axis=1)[rows, ends]
    return np.bincount(rows, weights=found / (ends + 1), minlength=len(hits)) / counts


def overlap(predicted: Array, truth: Array) -> tuple[Array, Array]:
    """Jaccard and F1 of each visit.

    Args:
        predicted: [N, M] bool, the sets that are given; an empty one scores 0.
        truth: [N, M] bool, at least one medication in each row.

    Returns:
        |both| / |either| and 2 |both| / (|given| + |true|), [N] each.

    Raises:
        ValueError: shapes that differ, or a row without a medication.
    """
    _check(predicted, truth)
    both = (predicted & truth).sum(axis=1)
    sizes = predicted.sum(axis=1) + truth.sum(axis=1)
    return both / (sizes - both), 2 * both / sizes


def interactions(sets: Array, ddi: Array) -> tuple[Array, Array]:
    """Pairs of each set, and how many of them interact: the DDI rate of many sets is the ratio of the sums.

    Args:
        sets: [N, M] bool.
        ddi: [M, M] bool, which medications interact; either half may be filled, the diagonal never counts.

    Returns:
        Interacting pairs [N] and all pairs [N], each pair once.
    """
    either = (ddi | ddi.T) & ~np.eye(len(ddi), dtype=bool)
    members: Array = sets.astype(np.float32)   # whole numbers below 2^24 are exact
    sizes = sets.sum(axis=1)
    twice = np.einsum("nm,nm->n", members @ either.astype(np.float32), members)
    return np.rint(twice / 2).astype(np.int64), sizes * (sizes - 1) // 2


def tune_threshold(scores: Array, truth: Array) -> float:
    """The threshold with the largest mean Jaccard, found exactly: each score of each visit is tried.

    A visit's set is every medication whose score is at or above the threshold; it lies halfway between the two scores
    that it parts. Of equally good thresholds the highest is taken, which gives the smallest sets.

    Args:
        scores: [N, M] of validation visits.
        truth: [N, M] bool, at least one medication in each row.

    Raises:
        ValueError: no row, shapes that differ, or a row without a medication.
        TrainingError: scores that are not numbers.
    """
    _check(scores, truth)
    if not len(scores):
        raise ValueError("there is no visit to tune a threshold on")
    values, gains = np.empty(scores.shape, dtype=scores.dtype), np.empty(scores.shape)
    for block in _blocks(*scores.shape):
        values[block], hits = _ranked(scores[block], truth[block])
        both = hits.cumsum(axis=1, dtype=np.float64)
        jaccard = both / (np.arange(1, hits.shape[1] + 1) + both[:, -1:] - both)
        gains[block] = np.diff(jaccard, axis=1, prepend=0)   # what the visit gains when its next medication is taken
    order = np.argsort(-values, axis=None)
    levels = values.ravel()[order].astype(np.float64)
    # Equal scores are taken together; compared and not subtracted, since a model may rule medications out by -inf.
    ends: Array = np.append(np.flatnonzero(levels[1:] != levels[:-1]), len(levels) - 1)
    means = gains.ravel()[order].cumsum()[ends] / len(scores)
    best = int(np.flatnonzero(means >= means.max() - 1e-12)[0])
    level = levels[ends[best]]
    if best + 1 == len(ends):
        return float(level)
    below = levels[ends[best + 1]]
    middle = level / 2 + below / 2
    return float(middle if middle > below else level)


_SIZES = (1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 85, 113, 150)


def threshold_curve(scores: Array, truth: Array, threshold: float) -> dict[str, list[float]]:
    """What sets are worth as the threshold falls.

    Sizes and not thresholds, since every model's scores have a scale of their own.

    Args:
        scores: [N, M], at least one visit.
        truth: [N, M] bool, at least one medication in each row.
        threshold: the one that was chosen.

    Returns:
        ``sizes`` and ``jaccard``, means over visits at thresholds that give a visit 1, 2, 3, 4, 6, 8, 11 ... 150
        medications on average, as near as equal scores allow; ``chosen``: size and Jaccard at ``threshold``.
    """
    _check(scores, truth)

    def point(level: float) -> tuple[float, float]:
        sets = scores.astype(np.float64) >= level
        return float(sets.sum(axis=1).mean()), float(overlap(sets, truth)[0].mean())

    levels = -np.sort(-scores, axis=None)
    points = {point(float(levels[size * len(scores) - 1])) for size in _SIZES if size <= scores.shape[1]}
    sizes, values = zip(*sorted(points))
    return {"sizes": list(sizes), "jaccard": list(values), "chosen": list(point(threshold))}


def _blocks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, _CELLS // max(width, 1))
    return (slice(first, first + step) for first in range(0, rows, step))


def _ranked(scores: Array, truth: Array) -> tuple[Array, Array]:
    """Scores [N, M] from high to low, and the truth in that order."""
    order = np.argsort(-scores, axis=1)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(truth, order, axis=1)


def _check(scores: Array, truth: Array) -> None:
    if scores.ndim != 2 or scores.shape != truth.shape:
        raise ValueError(f"scores and truth must both be [N, M], not {scores.shape} and {truth.shape}")
    if not truth.any(axis=1).all():
        raise ValueError("every visit needs at least one medication")
    if scores.dtype != bool and np.isnan(scores).any():
        raise TrainingError("the model's scores are not numbers (NaN): its weights diverged; lower learning_rate")
