"""How personal the lists are: metrics of whole lists have one value per run, so that seeds give their spread."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...evaluation import holm, paired_t
from ..figures import Block, Line, forest
from ..numbers import interval, p_value, score, signed
from ..results import Context, Results
from ..sections import label
from ..verdicts import WORDS, Judged, overall, state
from .finding import NOTHING, Answer, Table


class _Tested(NamedTuple):
    """A difference and its p, before Holm."""

    difference: float
    p: float


def personal(results: Results) -> Answer:
    """Each row's metrics of personalisation, and the named comparisons on each of them."""
    suite = results.suite
    contexts = [context for context in results.contexts() if len(context.splits) == 1]
    contexts = [context for context in contexts if any(results.has(context, row) for row in suite.rows)]
    if not contexts:
        return Answer(NOTHING)
    blocks: list[Block] = []
    table: list[tuple[str, ...]] = []
    for context in contexts:
        for metric in suite.metrics:
            lines = [_line(results, context, row, metric) for row in suite.rows if results.has(context, row)]
            name = label(metric) + (" (less is more personal)" if metric in suite.lower else "")
            blocks.append(Block(f"{name}, {context.name}" if len(contexts) > 1 else name, tuple(lines)))
            table += [(context.name, label(metric), line.label, score(line.value), interval(line.low, line.high))
                      for line in lines]
    by_row = [label(metric) for metric in suite.metrics if _is_per_row(results, contexts, metric)]
    caption = "Mean over seeds; the line runs from the least to the greatest seed"
    caption += f" (for {' and '.join(by_row)}: {suite.level:.0%} interval over patients)." if by_row else "."
    return Answer(_judge(results, contexts, by_row), forest("personal lists", blocks, own_scales=True), caption,
                  Table(("Split", "Metric", "Row", "Mean", "From–to"), tuple(table), names=3))


def _is_per_row(results: Results, contexts: list[Context], metric: str) -> bool:
    return all(metric in run.columns for context in contexts for row in results.suite.rows
               for run in results.runs(context.cells(row)[0]))


def _seeds(results: Results, context: Context, row: str, metric: str) -> np.ndarray:
    runs = results.runs(context.cells(row)[0])
    return np.array([run.record["evaluation"]["metrics"][metric] for run in runs], dtype=np.float64)


def _line(results: Results, context: Context, row: str, metric: str) -> Line:
    kind = "first" if row == results.suite.reference else ""
    if _is_per_row(results, [context], metric):
        level, = results.levels([context.cells(row)], metric)
        return Line(row, level.mean, level.low, level.high, kind)
    values = _seeds(results, context, row, metric)
    low, high = (float(values.min()), float(values.max())) if len(values) > 1 else (None, None)
    return Line(row, float(values.mean()), low, high, kind)


def _test(results: Results, context: Context, rows: tuple[str, str], metric: str) -> _Tested:
    """Over patients where the metric has a value for each, else over seeds on the same patients."""
    if _is_per_row(results, [context], metric):
        cells = [context.cells(row) for row in rows]
        paired, = results.differences([results.paired_values(cells[0], cells[1], metric)])
        return _Tested(paired.difference, paired.p)
    a, b = (_seeds(results, context, row, metric) for row in rows)
    return _Tested(float((a - b).mean()), paired_t(a, b).p)


def _judge(results: Results, contexts: list[Context], by_row: list[str]) -> Judged:
    suite = results.suite
    places = [(context, one, other) for context in contexts for one in suite.comparisons for other in one.against
              if results.has(context, one.row) and results.has(context, other)]
    if not places:
        return Judged(None, ("None of the comparisons can be made yet.",))
    tests = {metric: [_test(results, context, (one.row, other), metric) for context, one, other in places]
             for metric in suite.metrics}
    missing = sum(results.is_planned(context, one.row) and results.is_planned(context, other)
                  and (context, one, other) not in places for context in results.contexts() if len(context.splits) == 1
                  for one in suite.comparisons for other in one.against)
    corrected = {metric: holm([*(test.p for test in found), *[1.0] * missing]) for metric, found in tests.items()}
    sentences, parts = [], []
    for place, (context, one, other) in enumerate(places):
        told, states = [], []
        for metric in suite.metrics:
            difference, p = tests[metric][place].difference, corrected[metric][place]
            states.append(state(-difference if metric in suite.lower else difference, p, suite.level))
            told.append(f"{label(metric)} {WORDS[state(difference, p, suite.level)]} ({signed(difference)}, "
                        f"p {p_value(p)})")
        if one.claim:
            parts.append((all(found == "higher" for found in states), "lower" in states))
        sentences.append(f"{one.row} against {other} on {context.name}: {'; '.join(told)}.")
    how = "Paired t-tests over seeds on the same test patients"
    how += f" (for {' and '.join(by_row)}: bootstrap over patients)" if by_row else ""
    return Judged(overall(parts) if suite.claim is not None else None,
                  (f"{how}; Holm over the comparisons of each metric.", *sentences))
