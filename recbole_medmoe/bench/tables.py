"""The rows of every table of a section, once: Markdown, LaTeX and the page only write them down."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

from . import numbers
from .sections import LOWER_OR_NEITHER, Difference, Estimate, ModelRow, Section, label

BEST, LEVEL, UP, DOWN, SOFT, FIRST = "best", "level", "up", "down", "soft", "first"
"""Marks of cells: highest value; not shown to be below it; shown to be above or below the reference; no value; the
reference's name."""
DAGGER = "†"
_LEGEND = "Bold: the highest value."
_LEVEL_LEGEND = (f"{DAGGER}: not shown to be below it (the same bootstrap, Holm over the other rows of the column; the "
                 "best was picked by these values, so this describes and is no planned test).")


@dataclass(frozen=True)
class TableCell:
    """One cell.

    Attributes:
        text: as it is written.
        value: what it is sorted by; None sorts last.
        interval: its 95 % interval as text; '' where there is none.
        mark: see above.
    """

    text: str
    value: float | None = None
    interval: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """One table; the first cell of a row is its name.

    Attributes:
        kind: ``results``, ``tests``, ``rounds``, ``cost`` or ``groups``; in the last, models are columns.
        note: below the table.
    """

    kind: str
    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    note: str = ""


def best_models(section: Section, metric: str) -> list[str]:
    """Names of the models with the highest value; none where higher is not better or where one model stands alone."""
    if len(section.rows) < 2 or metric.partition("@")[0] in LOWER_OR_NEITHER:
        return []
    values = {row.name: row.metrics[metric].value for row in section.rows if metric in row.metrics}
    return [name for name, value in values.items() if value == max(values.values())]


def mark_of(section: Section, row: ModelRow, metric: str, best: Sequence[str]) -> str:
    """``best``, ``level`` or nothing; ``best`` are the `best_models` of the metric."""
    return BEST if row.name in best else LEVEL if best and metric in row.level else ""


def section_tables(section: Section) -> list[Table]:
    """All tables of a section, in their order."""
    tables = [_results(section, metrics, first=place == 0) for place, metrics in enumerate(section.metric_tables)]
    tables += [_tests(section)] if any(row.difference and row.difference.t is not None for row in section.rows) else []
    tables += [_rounds(section)] if section.round_metrics else []
    return [*tables, _cost(section), *group_tables(section)]


def _results(section: Section, metrics: Sequence[str], first: bool) -> Table:
    """One table of results; differences and thresholds stand in the ``first`` one."""
    tested, with_thresholds = first and section.is_tested, first and section.has_thresholds
    best = {metric: best_models(section, metric) for metric in metrics}
    rows = []
    for row in section.rows:
        cells = []
        for metric in metrics:
            known = row.metrics.get(metric)
            cells.append(TableCell(section.absent(metric)) if known is None else TableCell(
                numbers.score(known.value), known.value, known.interval, mark_of(section, row, metric, best[metric])))
        name = TableCell(row.name, mark=FIRST if row is section.reference and len(section.rows) > 1 else "")
        ends = (TableCell(numbers.thresholds(row.thresholds), min(row.thresholds, default=None)),)
        rows.append((name, *cells[:1], *(_difference(row.difference) if tested else ()), *cells[1:],
                     *(ends if with_thresholds else ())))
    heads = [label(metric) for metric in metrics]
    deltas = [f"Δ {label(section.primary)}", "p (Holm)"] if tested else []
    return Table("results", _title(metrics, first), _caption(section, best, tested),
                 ("Model", *heads[:1], *deltas, *heads[1:], *(["Threshold"] if with_thresholds else [])), tuple(rows))


def _title(metrics: Sequence[str], first: bool) -> str:
    return "Results" if first else (
        f"At cut-off {metrics[0].split('@')[1]}" if "@" in metrics[0] else "Over the whole test set")


def _caption(section: Section, best: Mapping[str, Sequence[str]], tested: bool) -> str:
    """Below a table of results; ``best`` are the `best_models` of each of its metrics."""
    told = []
    if any(row.metrics[metric].interval for row in section.rows for metric in best if metric in row.metrics):
        told.append("Mean over test rows with its 95 % interval.")
    if tested:
        told.append(f"Δ: difference from {section.reference.name}, paired by row; p is adjusted by Holm.")
    told += [_LEGEND] if any(best.values()) else []
    if any(mark_of(section, row, metric, best[metric]) == LEVEL for row in section.rows for metric in best):
        told.append(_LEVEL_LEGEND)
    return " ".join(told)


def _difference(gap: Difference | None) -> tuple[TableCell, TableCell]:
    if gap is None:
        return TableCell("reference", mark=SOFT), TableCell("–", mark=SOFT)
    mark = (UP if gap.value > 0 else DOWN) if numbers.shown(gap.p) else ""
    return (TableCell(numbers.signed(gap.value), gap.value, numbers.signed_interval(gap.low, gap.high), mark),
            TableCell(numbers.p_value(gap.p), gap.p))


def _tests(section: Section) -> Table:
    rows = []
    for row in section.rows:
        gap = row.difference
        if gap is not None:
            own, plain = _difference(gap)
            rows.append((TableCell(row.name), own, TableCell(numbers.p_value(gap.plain), gap.plain), plain,
                         TableCell(numbers.signed(gap.t), gap.t), TableCell(numbers.count(gap.degrees), gap.degrees),
                         TableCell(numbers.p_value(gap.t_p), gap.t_p),
                         TableCell(numbers.signed(gap.effect), gap.effect)))
    counted = section.counted.lower()
    return Table("tests", "Tests", f"{label(section.primary)} minus that of {section.reference.name}: the paired "
                 f"bootstrap, Holm's correction of its p, and as a second opinion Student's paired t-test over "
                 f"{counted} (not corrected) with the effect size d_z.",
                 ("Model", f"Δ {label(section.primary)}", "p", "p (Holm)", "t", "Degrees", "p (t)", "Effect size"),
                 tuple(rows))


def _rounds(section: Section) -> Table:
    rows = [(TableCell(row.name), *(TableCell(numbers.plus_minus(row.rounds[metric]), row.rounds[metric][0])
                                    for metric in section.round_metrics)) for row in section.rows]
    return Table("rounds", "Rounds", "Mean ± standard deviation over random parts of the test patients, as the "
                 "published tables have it. The parts share most of their patients: the deviation says little of how "
                 "sure the mean is.", ("Model", *map(label, section.round_metrics)), tuple(rows))


def _cost(section: Section) -> Table:
    rows = []
    for row in section.rows:
        cost = row.cost
        rows.append((
            TableCell(row.name), TableCell(", ".join(map(str, row.seeds)), len(row.seeds)),
            TableCell(numbers.score(row.spread), row.spread),
            TableCell(numbers.seconds(cost["training"]), cost["training"]),
            TableCell(numbers.seconds(cost["evaluation"]), cost["evaluation"]),
            TableCell(numbers.memory(cost["memory"]), cost["memory"]),
            TableCell(numbers.count(cost["parameters"]), cost["parameters"]),
            TableCell(numbers.count(cost["trainable"]), cost["trainable"])))
    return Table("cost", "Cost", "", ("Model", "Seeds", "Spread over seeds", "Training", "Test scoring", "Peak memory",
                                      "Parameters", "Trained"), tuple(rows))


def group_tables(section: Section) -> list[Table]:
    """The table by group, models as columns, and which groups are too small for it; none where there are none."""
    if not section.groups:
        return []
    names = [row.name for row in section.rows]
    rows = tuple((TableCell(group.name), TableCell(numbers.count(group.rows), group.rows),
                  *(_estimate(group.scores.get(name)) for name in names))
                 for group in section.groups if group.scores)
    known = any(cell.interval for row in rows for cell in row)
    caption = "Mean over the group's test rows with its 95 % interval, not corrected for the number of groups."
    note = f"n too small: {section.small_groups}." if section.small_groups else ""
    return [Table("groups", f"{label(section.primary)} by group", caption if known else "",
                  ("Group", section.counted, *names), rows, note)]


def _estimate(known: Estimate | None) -> TableCell:
    return TableCell(numbers.score(None)) if known is None else TableCell(
        numbers.score(known.value), known.value, known.interval)
