"""The finished runs of a suite as arrays: values per test row, levels, and the comparisons that the suite names."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

import numpy as np

from ..errors import DataError
from ..evaluation import Interval, Paired, holm
from ..evaluation.statistics import interval_of, paired_of, resampled_means
from ..quick_start.folds import FOLDS
from ..quick_start.stored import Content, StoredRun
from .jobs import Cell, cells_of
from .suite import Suite

Array = np.ndarray
Found = Mapping[Cell, Mapping[int, Path]]


@dataclass(frozen=True)
class Context:
    """One condition under which rows are compared; of several splits the test rows are taken together."""

    name: str
    splits: tuple[str, ...]
    labels: str | None = None
    train_share: float = 1.0
    images: str = "catalogue"

    def cells(self, row: str) -> list[Cell]:
        """The cells of a row."""
        return [Cell(row, split, self.labels, self.train_share, self.images) for split in self.splits]


class Values(NamedTuple):
    """Seeds averaged per row: row ids [N], the patient of each [N], values [N], and the data that they come from."""

    rows: Array
    patients: Array
    values: Array
    data: tuple[Content, ...]


@dataclass(frozen=True)
class Test:
    """One comparison in one context.

    Attributes:
        group: place of the suite's entry of ``comparisons``.
        paired: metric to the difference, row minus other.
        p: of the primary metric, after Holm over all tests of the suite; NaN where there was nothing to test.
    """

    context: Context
    group: int
    row: str
    against: str
    paired: Mapping[str, Paired]
    p: float


@dataclass
class Results:
    """Finished runs of one suite.

    Args:
        suite: what was asked for.
        found: cell to seed to run folder.
        read: gives the run of a folder; shared by suites, so that each is read once.
    """

    suite: Suite
    found: Found
    read: Callable[[Path], StoredRun]
    _values: dict[tuple[tuple[Cell, ...], str], Values] = field(default_factory=dict)
    _planned: set[Cell] | None = None

    def runs(self, cell: Cell) -> list[StoredRun]:
        """Runs of a cell in the order of their seeds; none unless every seed is there, so that rows weigh alike."""
        there = self.found.get(cell, {})
        if not self.suite.seeds or any(seed not in there for seed in self.suite.seeds):
            return []
        return [self.read(there[seed]) for seed in self.suite.seeds]

    def has(self, context: Context, row: str) -> bool:
        """Whether all of a row's runs are there."""
        return all(self.runs(cell) for cell in context.cells(row))

    @property
    def draws(self) -> int:
        """Draws of the bootstrap, as the runs were configured."""
        return int(self._config["bootstrap_draws"])

    @property
    def subjects(self) -> str:
        """What the bootstrap draws, in words."""
        return "questions" if self._config.get("task") == "choice" else "patients"

    @property
    def _config(self) -> Mapping[str, Any]:
        first = next(self.read(folder) for seeds in self.found.values() for folder in seeds.values())
        return dict(first.record["model"]["config"])

    def contexts(self) -> list[Context]:
        """Each split, then the pooled ones, under the suite's first condition of every other kind.

        Folds that are pooled as ``folds`` are parts of one split and do not stand alone.
        """
        parts = self.suite.pooled.get(FOLDS, ())
        named: list[tuple[str, tuple[str, ...]]] = [
            (split or self.suite.dataset, (split,)) for split in self.suite.splits if split not in parts]
        named += [(name, tuple(splits)) for name, splits in self.suite.pooled.items()]
        return [Context(name, splits, self.suite.labels[0], self.suite.train_share[0], self.suite.images[0])
                for name, splits in named]

    def values(self, cells: Sequence[Cell], metric: str) -> Values:
        """Values per row, seeds averaged.

        Raises:
            DataError: a metric without values per row, or seeds that were scored on different rows.
        """
        key = tuple(cells), metric
        if key not in self._values:
            parts = [self._of_cell(cell, metric) for cell in cells]
            prefixes = [""] if len(cells) == 1 else [f"{cell.split}|" for cell in cells]
            rows = [np.char.add(prefix, part.rows) for prefix, part in zip(prefixes, parts)]
            self._values[key] = Values(np.concatenate(rows), np.concatenate([part.patients for part in parts]),
                                       np.concatenate([part.values for part in parts]),
                                       tuple(part.data[0] for part in parts))
        return self._values[key]

    def _of_cell(self, cell: Cell, metric: str) -> Values:
        runs = self.runs(cell)
        if any(metric not in run.columns and metric not in run.items for run in runs):
            raise DataError(f"{self.suite.name}: {cell.row} on {cell.split} has no values per row of {metric}")
        orders = [np.argsort(run.rows, kind="stable") for run in runs]
        rows = runs[0].rows[orders[0]]
        data = {run.content for run in runs}
        if len(data) > 1 or any(not np.array_equal(run.rows[order], rows) for run, order in zip(runs, orders)):
            raise DataError(f"{self.suite.name}: the seeds of {cell.row} on {cell.split} were scored on different data")
        columns = [(run.columns if metric in run.columns else run.items)[metric][order]
                   for run, order in zip(runs, orders)]
        return Values(rows, runs[0].clusters[orders[0]], np.mean(columns, axis=0), (data.pop(),))

    def paired_values(self, a: Sequence[Cell], b: Sequence[Cell], metric: str, same_data: bool = True,
                      ) -> tuple[Values, Values]:
        """Values of two sets of cells on the same rows.

        Raises:
            DataError: other rows, or another content of the data where ``same_data`` is asked for.
        """
        first, second = self.values(a, metric), self.values(b, metric)
        if same_data and first.data != second.data:
            raise DataError(f"{self.suite.name}: {a[0].row} and {b[0].row} on {a[0].split} come from data of different "
                            "content (data.sha256, data.statistics.ddi); run both again on one")
        if not np.array_equal(first.patients, second.patients):
            raise DataError(f"{self.suite.name}: {a[0].row} on {a[0].split} and {b[0].row} on {b[0].split} were scored "
                            "on other rows")
        return first, second

    def differences(self, pairs: Sequence[tuple[Values, Values]]) -> list[Paired]:
        """Mean of a minus b for each pair, patients drawn; pairs on the same patients share their draws."""
        found: dict[int, Paired] = {}
        groups: dict[bytes, list[int]] = {}
        for place, (a, _) in enumerate(pairs):
            groups.setdefault(a.patients.tobytes(), []).append(place)
        for places in groups.values():
            columns = np.stack([pairs[place][0].values - pairs[place][1].values for place in places], axis=1)
            means = resampled_means(columns, pairs[places[0]][0].patients, self.draws, 0)
            for place, column, drawn in zip(places, columns.T, means.T):
                found[place] = paired_of(float(column.mean()), drawn, self.suite.level)
        return [found[place] for place in range(len(pairs))]

    def drawn(self, a: Values, b: Values) -> tuple[float, Array]:
        """Mean of a minus b, and its resampled means [draws]: what several tests of one pair share."""
        difference = a.values - b.values
        return float(difference.mean()), resampled_means(difference, a.patients, self.draws, 0)[:, 0]

    def levels(self, cells: Sequence[Sequence[Cell]], metric: str) -> list[Interval]:
        """Mean and interval of each set of cells."""
        made = [self.values(one, metric) for one in cells]
        return [interval_of(float(value.values.mean()),
                            resampled_means(value.values, value.patients, self.draws, 0)[:, 0], self.suite.level)
                for value in made]

    def is_planned(self, context: Context, row: str) -> bool:
        """Whether the suite has a row under this condition, finished or not."""
        if self._planned is None:
            self._planned = {cell for cell, _ in cells_of(self.suite)}
        return self._planned.issuperset(context.cells(row))

    def holm(self, values: Sequence[float], missing: int = 0) -> list[float]:
        """p after Holm, over tests that could not be made too.

        Raises:
            DataError: see `tests`.
        """
        family, alpha = len(values) + missing, round(1 - self.suite.level, 12)
        if values and 2 * family >= alpha * (self.draws + 1):   # the smallest p of the bootstrap is 2 / (draws + 1)
            raise DataError(f"{self.suite.name}: {family} comparisons and {self.draws} draws of the bootstrap: after "
                            f"Holm no p can be below {alpha:g}; run with bootstrap_draws of at least "
                            f"{int(2 * family / alpha)}")
        return [float(p) for p in holm([*values, *[1.0] * missing])[:len(values)]]

    def tests(self, contexts: Iterable[Context]) -> list[Test]:
        """Every named comparison in every context whose runs are there.

        Holm counts those whose runs are missing too, so that no comparison is easier to show before others are made.

        Raises:
            DataError: too few draws for so many comparisons: no p could come out small enough.
        """
        places: list[tuple[Context, int, str, str]] = []
        pairs: list[tuple[Values, Values]] = []
        missing = 0
        for context in contexts:
            for group, one in enumerate(self.suite.comparisons):
                for other in one.against:
                    if not (self.has(context, one.row) and self.has(context, other)):
                        missing += self.is_planned(context, one.row) and self.is_planned(context, other)
                    else:
                        places.append((context, group, one.row, other))
                        pairs += [self.paired_values(context.cells(one.row), context.cells(other), metric)
                                  for metric in self.suite.metrics]
        paired = self.differences(pairs)
        wide = len(self.suite.metrics)
        by_place = [dict(zip(self.suite.metrics, paired[start:start + wide]))
                    for start in range(0, len(paired), wide)]
        corrected = self.holm([found[self.suite.primary].p for found in by_place], missing)
        return [Test(*place, found, p) for place, found, p in zip(places, by_place, corrected)]
