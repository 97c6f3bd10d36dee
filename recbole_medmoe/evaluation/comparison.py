"""Models beside each other on the same rows: intervals, and each against the first with Holm's correction."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import DataError
from .ratios import means, plain_names, ratio_names, ratio_parts
from .statistics import (Interval, Paired, TTest, effect_size, holm, interval_of, paired_of, paired_t,
                         resampled_means)

Array = np.ndarray
SeedRows = tuple[Array, Mapping[str, Array]]


@dataclass(frozen=True)
class Against:
    """A model against the first, on the primary metric.

    Attributes:
        paired: difference (model minus first) with its bootstrap interval and p.
        t_test: paired t-test on patient means, as a second opinion.
        effect: mean difference of patients in units of its standard deviation (d_z).
        p_holm: the bootstrap p, corrected over all models that are compared.
    """

    paired: Paired
    t_test: TTest
    effect: float
    p_holm: float


@dataclass(frozen=True)
class ModelSummary:
    """One model of a comparison.

    Attributes:
        name: as given.
        seeds: number of runs.
        intervals: metric to mean over rows (seeds averaged per row first) with its bootstrap interval over patients;
            pooled metrics to the ratio of the sums, with the same draws of patients.
        spread: metric to the standard deviation of the runs' means over seeds; None for a single run.
        against: None for the first model.
    """

    name: str
    seeds: int
    intervals: dict[str, Interval]
    spread: dict[str, float | None]
    against: Against | None


@dataclass(frozen=True)
class Comparison:
    """All models on the same rows.

    Attributes:
        primary: the metric that was named beforehand and that the tests are made on.
        models: in the order given; the first is what the others are compared with.
        rows, clusters: how many rows, of how many patients.
        draws, level: of the bootstrap.
        below_best: metric to model to p of its difference from the model with the highest value, which is left out;
            two-sided, from the same draws, corrected by Holm over the models of one metric. The best is found by the
            values themselves, so this describes a table and tests nothing that was planned.
    """

    primary: str
    models: tuple[ModelSummary, ...]
    rows: int
    clusters: int
    draws: int
    level: float
    below_best: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> ModelSummary:
        return {model.name: model for model in self.models}[name]


def compare(rows_by_model: Mapping[str, Sequence[SeedRows]], primary: str, *,
            clusters: Mapping[object, object] | None = None, draws: int = 10_000, seed: int = 0,
            level: float = 0.95) -> Comparison:
    """Compares models over values per row.

    Seeds are averaged per row first, then patients are drawn, the same patients for every model; the spread over
    seeds is a second source of variation and is shown apart (design 7).

    Args:
        rows_by_model: name to one (row ids [N], metric to values [N]) for each seed; the rows may come in any order.
            A pooled metric has two columns, see `ratio_columns`.
        primary: metric of the tests, e.g. ``ndcg@5``.
        clusters: row id to patient; without it each row id is a patient.
        draws, seed, level: of the bootstrap.

    Raises:
        DataError: a model without values per row, without the primary metric, or scored on other rows.
    """
    if not rows_by_model:
        raise DataError("there is no model to compare")
    ids, averaged, spreads = _align(rows_by_model, primary)
    patients = np.asarray([clusters[key] for key in ids.tolist()]) if clusters is not None else ids
    first, *others = rows_by_model
    base = averaged[first][primary]
    columns = {(name, metric): values for name, found in averaged.items() for metric, values in found.items()}
    # Differences are columns of their own: where two models are equal, they are exactly 0 in every resample.
    columns |= {(name, "difference"): averaged[name][primary] - base for name in others}
    drawn = dict(zip(columns, resampled_means(np.stack(list(columns.values()), axis=1), patients, draws, seed).T))
    tests = {name: paired_of(columns[name, "difference"].mean(), drawn[name, "difference"], level) for name in others}
    corrected = dict(zip(tests, holm([paired.p for paired in tests.values()])))
    resampled = {name: _resampled(found, {metric: drawn[name, metric] for metric in found})
                 for name, found in averaged.items()}
    centres = {name: means(found) for name, found in averaged.items()}
    models = tuple(
        ModelSummary(name, len(seeds),
                     {metric: interval_of(centres[name][metric], found, level)
                      for metric, found in resampled[name].items()},
                     spreads[name],
                     Against(tests[name], paired_t(averaged[name][primary], base, patients),
                             effect_size(averaged[name][primary], base, patients), corrected[name])
                     if name in tests else None)
        for name, seeds in rows_by_model.items())
    return Comparison(primary, models, len(ids), len(np.unique(patients)), draws, level,
                      _below_best(centres, resampled))


def _resampled(columns: Mapping[str, Array], drawn: Mapping[str, Array]) -> dict[str, Array]:
    """Metric to its resampled values [draws], from values [N] and resampled means [draws] of each column."""
    found = {name: drawn[name] for name in plain_names(columns)}
    centres = means(columns)
    for name in ratio_names(columns):
        above, below = ratio_parts(name)
        if name in centres:
            with np.errstate(divide="ignore", invalid="ignore"):
                found[name] = drawn[above] / drawn[below]
    return found


def _below_best(centres: Mapping[str, Mapping[str, float]], resampled: Mapping[str, Mapping[str, Array]],
                ) -> dict[str, dict[str, float]]:
    """As `Comparison.below_best`."""
    found: dict[str, dict[str, float]] = {}
    for metric in dict.fromkeys(metric for one in resampled.values() for metric in one):
        names = [name for name, one in resampled.items() if metric in one]
        best = max(names, key=lambda name: centres[name][metric])
        p = []
        for name in names:
            if name != best:
                drawn = resampled[name][metric] - resampled[best][metric]
                p.append(paired_of(centres[name][metric] - centres[best][metric], drawn).p)
        found[metric] = dict(zip([name for name in names if name != best], holm(p)))
    return found


def _align(rows_by_model: Mapping[str, Sequence[SeedRows]], primary: str) -> tuple[
        Array, dict[str, dict[str, Array]], dict[str, dict[str, float | None]]]:
    """Row ids in one order, per model the seeds' average per row, and the spread of the seeds' means."""
    ids: Array | None = None
    averaged: dict[str, dict[str, Array]] = {}
    spreads: dict[str, dict[str, float | None]] = {}
    for name, seeds in rows_by_model.items():
        if not seeds or any(primary not in columns for _, columns in seeds):
            raise DataError(f"{name} has no values per row of {primary}; full-sort ranking metrics have them")
        metrics = [metric for metric in seeds[0][1] if all(metric in columns for _, columns in seeds)]
        sorted_seeds: list[dict[str, Array]] = []
        for row_ids, columns in seeds:
            order = np.argsort(np.asarray(row_ids), kind="stable")
            these = np.asarray(row_ids)[order]
            ids = these if ids is None else ids
            if not np.array_equal(ids, these):
                raise DataError(f"{name} was scored on other rows ({len(these)}) than the first model ({len(ids)}); "
                                "compare runs of the same data set and split")
            sorted_seeds.append({metric: np.asarray(columns[metric], dtype=np.float64)[order] for metric in metrics})
        averaged[name] = {metric: np.mean([columns[metric] for columns in sorted_seeds], axis=0)
                          for metric in metrics}
        by_seed = [means(columns) for columns in sorted_seeds]
        spreads[name] = {metric: float(np.std([found[metric] for found in by_seed], ddof=1)) if len(by_seed) > 1
                         else None for metric in by_seed[0] if all(metric in found for found in by_seed)}
    assert ids is not None
    return ids, averaged, spreads
