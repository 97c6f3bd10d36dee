"""Intervals and paired tests over values per row, drawn or averaged by patient (design 7; anchors 5.6)."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

Array = np.ndarray

# A block of draws holds at most this many cluster numbers: memory does not grow with the number of draws, and the block
# stays in the processor's cache (a third faster than blocks ten times as large).
_BLOCK = 400_000
_ROUNDING = 1e-12   # metrics are of the order of 1


class Interval(NamedTuple):
    """A mean and its bootstrap interval; the bounds are NaN when there are fewer than two clusters."""

    mean: float
    low: float
    high: float


class Paired(NamedTuple):
    """Mean of a minus b, its interval and its two-sided p; all but the mean are NaN below two clusters."""

    difference: float
    low: float
    high: float
    p: float


class TTest(NamedTuple):
    """Student's paired t on cluster means; t and p are NaN below two clusters."""

    t: float
    p: float
    degrees: int


class Equivalence(NamedTuple):
    """Two one-sided tests of a minus b against a margin; bounds and p are NaN below two clusters.

    Attributes:
        difference: mean of a minus b.
        low, high: interval of coverage ``1 - 2 alpha``; the models are equivalent if it lies inside the margin.
        p: the larger of the two one-sided p.
        margin: as given.
        equivalent: whether p is below alpha. False says only that equality was not shown.
    """

    difference: float
    low: float
    high: float
    p: float
    margin: float
    equivalent: bool


def _by_cluster(values: Array, clusters: Array | None) -> tuple[Array, Array]:
    """Sums [C, M] and sizes [C] of clusters. Each row is its own cluster when none are given."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim not in (1, 2) or not len(values):
        raise ValueError(f"values must have at least one row, and one or two axes, not the shape {values.shape}")
    values = values.reshape(len(values), -1)
    if clusters is None:
        return values, np.ones(len(values))
    clusters = np.asarray(clusters)
    if clusters.shape != values.shape[:1]:
        raise ValueError(f"{len(values)} rows, but clusters of shape {clusters.shape}")
    _, code = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(code).astype(np.float64)
    sums: Array = np.zeros((len(sizes), values.shape[1]))
    np.add.at(sums, code, values)
    return sums, sizes


def resampled_means(values: Array, clusters: Array | None, draws: int, seed: int) -> Array:
    """Means of bootstrap resamples, whole clusters drawn with replacement; all columns see the same draws.

    Args:
        values: [N] or [N, M], M columns of values per row.
        clusters: [N] the patient of each row; without it every row is drawn by itself.
        draws: D, number of resamples.
        seed: of NumPy's default generator; equal seeds draw equal clusters, so that models are compared on equal draws.

    Returns:
        [D, M], NaN throughout where there are fewer than two clusters.
    """
    sums, sizes = _by_cluster(values, clusters)
    number = len(sums)
    if number < 2:
        return np.full((draws, sums.shape[1]), np.nan)
    generator = np.random.default_rng(seed)

    def blocks() -> Iterator[Array]:
        left = draws
        while left > 0:
            take = min(left, max(1, _BLOCK // number))
            drawn = generator.integers(0, number, size=(take, number))
            cell = drawn + np.arange(take)[:, None] * number
            times = np.bincount(cell.ravel(), minlength=take * number).reshape(take, number).astype(np.float64)
            yield times @ sums / (times @ sizes)[:, None]
            left -= take

    return np.concatenate(list(blocks()))


def interval_of(mean: float, means: Array, level: float = 0.95) -> Interval:
    """Percentile interval from resampled means [D]."""
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(mean), float(low), float(high))


def paired_of(difference: float, means: Array, level: float = 0.95) -> Paired:
    """Percentile interval and two-sided p from resampled mean differences [D].

    The p is twice the smaller share of differences on one side of 0, with one added to both counts, so it is never 0
    and falls below .05 where the 95 % interval leaves 0 out. Differences that are nothing but rounding count as 0: on
    which side they fall would depend on the machine.
    """
    if np.isnan(means).any():
        return Paired(float(difference), np.nan, np.nan, np.nan)
    means = np.where(np.abs(means) < _ROUNDING, 0.0, means)
    _, low, high = interval_of(difference, means, level)
    tail = min(int((means <= 0).sum()), int((means >= 0).sum()))
    return Paired(float(difference), low, high, min(1.0, 2 * (tail + 1) / (len(means) + 1)))


def bootstrap_interval(values: Array, clusters: Array | None = None, draws: int = 10_000, seed: int = 0,
                       level: float = 0.95) -> Interval:
    """Percentile interval of the mean over rows (larger clusters weigh more, as in the headline metric).

    Args:
        values: [N] one value per row.
        clusters, draws, seed: as in :func:`resampled_means`.
        level: coverage of the interval.
    """
    return interval_of(float(np.mean(values)), resampled_means(values, clusters, draws, seed)[:, 0], level)


def paired_bootstrap(a: Array, b: Array, clusters: Array | None = None, draws: int = 10_000, seed: int = 0,
                     level: float = 0.95) -> Paired:
    """Difference of two models on the same rows: mean(a - b), its interval and p as in :func:`paired_of`.

    Args:
        a: [N] values of one model.
        b: [N] values of the other, same rows in the same order.
        clusters, draws, seed: as in :func:`resampled_means`.
        level: coverage of the interval.
    """
    difference = _difference(a, b)
    return paired_of(difference.mean(), resampled_means(difference, clusters, draws, seed)[:, 0], level)


def _difference(a: Array, b: Array) -> Array:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"paired values differ in shape: {a.shape} and {b.shape}")
    return a - b


def paired_t(a: Array, b: Array, clusters: Array | None = None) -> TTest:
    """Two-sided paired t-test on cluster means.

    Args:
        a, b: [N] values of two models on the same rows.
        clusters: [N] the patient of each row.

    Returns:
        t of a minus b, p, degrees of freedom. Where no cluster differs, t is 0 and p is 1.
    """
    sums, sizes = _by_cluster(_difference(a, b), clusters)
    means = sums[:, 0] / sizes
    degrees = len(means) - 1
    if degrees < 1:
        return TTest(np.nan, np.nan, degrees)
    if not means.any():
        return TTest(0.0, 1.0, degrees)
    error = means.std(ddof=1) / np.sqrt(len(means))
    t = float(means.mean() / error) if error > 0 else float(np.copysign(np.inf, means.mean()))
    return TTest(t, float(2 * stats.t.sf(abs(t), degrees)), degrees)


def equivalence_of(difference: float, means: Array, margin: float, level: float = 0.95) -> Equivalence:
    """Two one-sided tests from resampled mean differences [D]; margin, level and errors as in :func:`equivalence`."""
    if not (np.isfinite(margin) and margin > 0):
        raise ValueError(f"margin {margin}: must be a number above 0")
    if not 0.5 < level < 1:
        raise ValueError(f"level {level}: must lie between .5 and 1")
    if np.isnan(means).any():
        return Equivalence(float(difference), np.nan, np.nan, np.nan, margin, False)
    low, high = np.quantile(means, [1 - level, level])
    tail = max(int((means >= margin).sum()), int((means <= -margin).sum()))
    p = (tail + 1) / (len(means) + 1)
    return Equivalence(float(difference), float(low), float(high), p, margin, p < 1 - level)


def equivalence(a: Array, b: Array, margin: float, clusters: Array | None = None, draws: int = 10_000, seed: int = 0,
                level: float = 0.95) -> Equivalence:
    """Whether two models differ by less than a margin that was stated before: two one-sided bootstrap tests.

    Schuirmann, 1987, https://doi.org/10.1007/BF01068419. Alpha is ``1 - level``; each one-sided p is the share of
    resampled differences at or beyond the margin, with one added to both counts.

    Args:
        a, b, clusters, draws, seed: as in :func:`paired_bootstrap`.
        margin: largest difference that still counts as none, above 0, in units of the metric.
        level: 0.95 tests at .05 and gives the 90 % interval.

    Raises:
        ValueError: margin or level out of range.
    """
    difference = _difference(a, b)
    return equivalence_of(float(difference.mean()), resampled_means(difference, clusters, draws, seed)[:, 0], margin,
                          level)


def effect_size(a: Array, b: Array, clusters: Array | None = None) -> float:
    """Mean of the cluster means of a minus b in units of their standard deviation (Cohen's d_z).

    NaN below two clusters; 0 where no cluster differs.
    """
    sums, sizes = _by_cluster(_difference(a, b), clusters)
    means = sums[:, 0] / sizes
    if len(means) < 2:
        return float("nan")
    if not means.any():
        return 0.0
    spread = means.std(ddof=1)
    return float(means.mean() / spread) if spread > 0 else float(np.copysign(np.inf, means.mean()))


def ratio_interval(numerators: Array, denominators: Array, clusters: Array | None = None, draws: int = 10_000,
                   seed: int = 0, level: float = 0.95) -> Interval:
    """Interval of a pooled metric ``sum of numerators / sum of denominators``, each [N], by the same draws of patients.

    Raises:
        ValueError: denominators that sum to 0, or shapes that differ.
    """
    above, below = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if above.shape != below.shape:
        raise ValueError(f"numerators and denominators differ in shape: {above.shape} and {below.shape}")
    if below.sum() == 0:
        raise ValueError("the denominators of a pooled metric sum to 0")
    means = resampled_means(np.stack([above, below], axis=1), clusters, draws, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = means[:, 0] / means[:, 1]
    return interval_of(float(above.sum() / below.sum()), ratios, level)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given. A NaN (no test was possible) stays NaN and is not counted."""
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(len(values), np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return [float(value) for value in adjusted]
