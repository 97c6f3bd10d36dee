"""What an answer consists of."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ..figures import Figure
from ..jobs import cells_of
from ..results import Results, Test
from ..suite import Suite
from ..verdicts import Judged, told
from ..sections import label
from ..numbers import p_value

NOTHING = Judged(None, ("None of the runs that this needs is finished.",))


@dataclass(frozen=True)
class Table:
    """Text cells under heads; the first ``names`` columns are names, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


@dataclass(frozen=True)
class Answer:
    """A verdict with its sentences, the figure that shows it and the numbers behind the figure."""

    judged: Judged = Judged(None, ())
    figure: Figure | None = None
    caption: str = ""
    table: Table | None = None


@dataclass(frozen=True)
class Finding:
    """A suite's question with its answer and with what is missing for it."""

    suite: Suite
    answer: Answer
    notes: tuple[str, ...] = ()


def missing_runs(results: Results) -> tuple[str, ...]:
    """One sentence that counts the runs that are not there, by row; rows lack a cell unless all its seeds are there."""
    lacking: dict[str, int] = {}
    total = 0
    for cell, _ in cells_of(results.suite):
        seeds = results.found.get(cell, {})
        total += len(results.suite.seeds)
        absent = sum(seed not in seeds for seed in results.suite.seeds)
        if absent:
            lacking[cell.row] = lacking.get(cell.row, 0) + absent
    if not lacking:
        return ()
    told_rows = ", ".join(f"{row} {count}" for row, count in lacking.items())
    return (f"{sum(lacking.values())} of {total} runs are not finished ({told_rows}); what lacks a seed is left out.",)


def test_table(tests: Sequence[Test], metrics: Sequence[str], where: str) -> Table:
    """Every named comparison with its numbers."""
    rows = tuple((f"{test.row} − {test.against}", test.context.name,
                  *(told(test.paired[metric]) for metric in metrics), p_value(test.p)) for test in tests)
    head = ("Difference", where, *(f"Δ {label(metric)}" for metric in metrics), f"p (Holm, {label(metrics[0])})")
    return Table(head, rows, names=2)
