"""What one comparison shows, as plain values: the terminal, Markdown and the page all write these."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

from .curves import Curve
from .diagnostics import Diagnostics
from .numbers import interval, score, shown, signed
from .routers import Routers

NO_LIST = "no list: pass --ddi"
"""In place of a DDI rate where the data set was prepared without a list of interactions."""
LOWER_OR_NEITHER = {"giniindex", "averagepopularity", "shannonentropy", "tailpercentage", "itemcoverage", "mae", "rmse",
                    "logloss", "ddirate", "trueddirate", "setsize", "truesetsize", "blindaccuracy"}
"""Metrics of which lower is better, or neither end is: no cell is set in bold."""


@dataclass(frozen=True)
class Estimate:
    """A mean over rows with its 95 % interval; pooled metrics have none."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> str:
        """The interval as text."""
        return interval(self.low, self.high)


@dataclass(frozen=True)
class Difference:
    """Primary metric of a model minus the reference's, paired by row; ``p`` is adjusted by Holm.

    Attributes:
        plain: p of the bootstrap before Holm.
        t, degrees, t_p: paired t-test on patient means, a second opinion without correction.
        effect: mean difference of patients in units of its standard deviation (d_z).
    """

    value: float
    low: float
    high: float
    p: float
    plain: float | None = None
    t: float | None = None
    degrees: int | None = None
    t_p: float | None = None
    effect: float | None = None


@dataclass(frozen=True)
class ModelRow:
    """One model of a comparison, seeds averaged.

    Attributes:
        thresholds: of its runs, where scores are made into sets.
        rounds: metric to mean and standard deviation over rounds, where a published protocol has them.
        folders: of its runs, all folds among them: the evidence.
        level: metrics on which it is not shown to be below the model with the highest value.
    """

    name: str
    seeds: tuple[int, ...]
    metrics: Mapping[str, Estimate]
    difference: Difference | None
    spread: float | None
    cost: Mapping[str, float | None]
    runs: tuple[str, ...]
    command: str
    thresholds: tuple[float, ...] = ()
    rounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    level: frozenset[str] = frozenset()

    def told(self) -> str:
        """Seeds in words."""
        return f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"


@dataclass(frozen=True)
class Group:
    """One group of test rows: ``scores`` has no model where the group is too small to say anything.

    ``rows`` counts patients where rows are visits; ``scores`` is model to the primary metric.
    """

    name: str
    rows: int
    scores: Mapping[str, Estimate]


@dataclass(frozen=True)
class Section:
    """All runs on one data set, split and content, read in one table.

    ``unknown`` are metrics that were asked for and that no row has, since the data do not tell them; ``curves`` are
    figures of how its rows were trained; ``apart`` counts the earlier tables of runs on the same data; ``suite`` is the
    title of the suite that it belongs to, '' where all tables are of one.
    """

    dataset: str
    split: str
    primary: str
    data: Mapping[str, Any]
    rows: tuple[ModelRow, ...]
    groups: tuple[Group, ...]
    protocol: tuple[str, ...]
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    diagnostics: Diagnostics | None = None
    routers: tuple[Routers, ...] = ()
    unknown: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()
    apart: int = 0
    suite: str = ""

    @property
    def title(self) -> str:
        """Data set, or suite, and split."""
        return " · ".join(filter(None, (self.suite or self.dataset, self.split)))

    @property
    def subject(self) -> str:
        """What the data set says of itself; '' where it says nothing."""
        return str(self.data.get("statistics", {}).get("title", ""))

    @property
    def small_groups(self) -> str:
        """Names and sizes of the groups that are too small to be shown."""
        return ", ".join(f"{group.name} ({group.rows})" for group in self.groups if not group.scores)

    @property
    def anchor(self) -> str:
        """Name of the section inside the page; differs also where only the content or the interactions differ."""
        listed = self.data.get("statistics", {}).get("ddi")
        hashes = [self.data["sha256"], *([listed["sha256"]] if isinstance(listed, Mapping) else [])]
        apart = [str(self.apart)] if self.apart else []
        return "-".join([self.dataset, self.split or "all", *(str(digest)[:8] for digest in hashes), *apart])

    @property
    def reference(self) -> ModelRow:
        """The model that the others are compared with."""
        return self.rows[0]

    @property
    def is_tested(self) -> bool:
        """Whether models are compared by their values per row."""
        return any(row.difference is not None for row in self.rows)

    @property
    def counted(self) -> str:
        """What the sizes of groups count."""
        return "Patients" if "patients" in self.data.get("statistics", {}) else "Rows"

    @property
    def has_thresholds(self) -> bool:
        """Whether scores were made into sets."""
        return any(row.thresholds for row in self.rows)

    @property
    def round_metrics(self) -> list[str]:
        """Metrics that every row has over rounds; none where no protocol asks for rounds."""
        return [metric for metric in self.rows[0].rounds if all(metric in row.rounds for row in self.rows)]

    def absent(self, metric: str) -> str:
        """What a cell without a value says."""
        return NO_LIST if metric in self.unknown and self.data.get("statistics", {}).get("ddi") == "no list" else "–"

    @property
    def metric_tables(self) -> list[list[str]]:
        """Metric names by cut-off, the primary's cut-off first; metrics without one come last."""
        cuts: dict[str, list[str]] = {}
        for row in self.rows:
            for metric in [*row.metrics, *self.unknown]:
                cut = metric.rpartition("@")[2] if "@" in metric else ""
                if metric not in cuts.setdefault(cut, []):
                    cuts[cut].append(metric)
        own = self.primary.rpartition("@")[2] if "@" in self.primary else ""
        tables = [cuts[own]] if own in cuts else []
        tables += [cuts[cut] for cut in sorted(cuts, key=_cut_order) if cut != own]
        for metrics in tables:
            metrics.sort(key=lambda metric: metric != self.primary)
        return tables

    @property
    def headline(self) -> str:
        """The result in one or two sentences, no stronger than its tests."""
        best = max(self.rows, key=lambda row: row.metrics[self.primary].value)
        value = best.metrics[self.primary]
        text = f"Highest {label(self.primary)}: {best.name}, {score(value.value)}"
        text += f" (95 % interval {value.interval})." if value.low is not None else "."
        differences = [(row.name, row.difference) for row in self.rows[1:] if row.difference is not None]
        if not differences:
            return text
        above = [f"{name} ({signed(d.value)})" for name, d in differences if shown(d.p) and d.value > 0]
        below = [f"{name} ({signed(d.value)})" for name, d in differences if shown(d.p) and d.value < 0]
        open_ = [name for name, d in differences if not shown(d.p)]
        parts = [f"{words} {', '.join(names)}" for words, names in (("higher:", above), ("lower:", below),
                                                                    ("no difference shown:", open_)) if names]
        return f"{text} Against {self.reference.name}: {'; '.join(parts)}."


def _cut_order(cut: str) -> tuple[int, int]:
    return (0, int(cut)) if cut.isdecimal() else (1, 0)


_LABELS = {"ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "auc": "AUC", "gauc": "GAUC", "logloss": "LogLoss", "mae": "MAE",
           "rmse": "RMSE", "itemcoverage": "Item coverage", "giniindex": "Gini index",
           "averagepopularity": "Average popularity", "shannonentropy": "Shannon entropy",
           "tailpercentage": "Tail percentage", "listdistance": "List distance", "popularitylift": "Popularity lift",
           "prauc": "PRAUC", "ddirate": "DDI rate", "trueddirate": "True DDI rate", "setsize": "Set size",
           "truesetsize": "True set size", "macroaccuracy": "Macro accuracy", "blindaccuracy": "Blind accuracy"}


def label(metric: str) -> str:
    """``map@5`` as ``MAP@5``."""
    name, at, cut = metric.partition("@")
    return _LABELS.get(name, name.capitalize()) + at + cut
