"""Each row while a modality is taken from a growing share of the items at test."""
from __future__ import annotations

from typing import NamedTuple

from ...quick_start.stored import MISSING
from ..figures import curve
from ..numbers import interval, score
from ..results import Context, Results
from ..sections import label
from ..verdicts import Judged, state, told
from .finding import NOTHING, Answer, Table

_WORDS = {"higher": "higher", "lower": "lower", "open": "no difference shown"}


class _Series(NamedTuple):
    """One modality of one row: columns of the primary metric by share, the whole of the data first."""

    row: str
    modality: str
    columns: tuple[tuple[float, str], ...]

    @property
    def name(self) -> str:
        """As the figure has it."""
        return f"{self.row}, {self.modality}"


def removals(results: Results) -> Answer:
    """Every row without each of its modalities, against itself on the same rows with all of them."""
    suite = results.suite
    context = Context("", (suite.splits[0],), suite.labels[0], suite.train_share[0], suite.images[0])
    series = [one for row in suite.rows if results.has(context, row) for one in _series(results, context, row)]
    if not series:
        return Answer(NOTHING)
    lines, table, last = [], [], []
    for one in series:
        cells, points = context.cells(one.row), []
        for share, column in one.columns:
            found, = results.levels([cells], column)
            points.append((share, found.mean, found.low, found.high))
            if share:
                a, b = results.values(cells, column), results.values(cells, suite.primary)
                paired, = results.differences([(a, b)])
                table.append((one.name, f"{share:.0%}", score(found.mean), interval(found.low, found.high),
                              told(paired)))
        last.append(paired)
        lines.append((one.name, points))
    corrected = results.holm([paired.p for paired in last])
    sentences = [f"{one.name} taken from {one.columns[-1][0]:.0%} of the items: {told(paired, p)}, "
                 f"{_WORDS[state(paired.difference, p, suite.level)]}."
                 for one, paired, p in zip(series, last, corrected)]
    return Answer(Judged(None, tuple(sentences)),
                  curve(label(suite.primary), lines, "items without the modality", from_zero=True),
                  f"Split {suite.splits[0]}: one modality at a time is taken from the items at test only, chosen by a "
                  f"hash; {suite.level:.0%} intervals over test patients; p after Holm over {len(last)} tests.",
                  Table(("Row, modality", "Items without it", label(suite.primary), f"{suite.level:.0%} interval",
                         f"Δ {label(suite.primary)}"), tuple(table), names=2))


def _series(results: Results, context: Context, row: str) -> list[_Series]:
    """The modalities of a row, by the columns that all its runs have."""
    metric = results.suite.primary
    runs = [run for cell in context.cells(row) for run in results.runs(cell)]
    found: dict[str, list[tuple[float, str]]] = {}
    for column in runs[0].items:
        name, _, of = column.partition("/")
        if name.startswith(MISSING) and of == metric and all(column in run.items for run in runs):
            modality, share = name.removeprefix(MISSING).split(" ")
            found.setdefault(modality, []).append((float(share), column))
    return [_Series(row, modality, ((0.0, metric), *sorted(columns))) for modality, columns in found.items()]
