"""The numbers of a report as CSV, one line per row of a table, metric and group, unrounded."""
from __future__ import annotations

import csv
import io
from typing import Any, Iterator, Sequence

from .sections import ModelRow, Section
from .tables import best_models, mark_of

COLUMNS = (
    "dataset", "split", "data_sha256", "group", "rows", "model", "seeds", "metric", "value", "low", "high", "mark",
    "spread", "against", "difference", "difference_low", "difference_high", "p", "p_holm", "t", "degrees", "t_p",
    "effect", "threshold_low", "threshold_high", "training_seconds", "test_seconds", "peak_memory_mib", "parameters",
    "trainable", "runs")


def render_csv(sections: Sequence[Section]) -> str:
    """The lines under their heads; what is not known is empty.

    Lines of a group have its name and size, and the primary metric with its interval; ``mark`` is ``best`` or ``level``
    (not shown to be below the best); ``spread``, the tests against ``against`` stand on the primary metric's line;
    ``runs`` and ``seeds`` are joined by spaces.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for section in sections:
        for line in _lines(section):
            writer.writerow({name: "" if value is None else value for name, value in line.items()})
    return text.getvalue()


def _lines(section: Section) -> Iterator[dict[str, Any]]:
    metrics = [metric for metrics in section.metric_tables for metric in metrics]
    best = {metric: best_models(section, metric) for metric in metrics}
    for row in section.rows:
        shared = _shared(section, row)
        for metric in metrics:
            if metric in row.metrics:
                known = row.metrics[metric]
                yield {**shared, "metric": metric, "value": known.value, "low": known.low, "high": known.high,
                       "mark": mark_of(section, row, metric, best[metric]),
                       **(_tests(section, row) if metric == section.primary else {})}
        for group in section.groups:
            if row.name in group.scores:
                known = group.scores[row.name]
                yield {**shared, "group": group.name, "rows": group.rows, "metric": section.primary,
                       "value": known.value, "low": known.low, "high": known.high}


def _shared(section: Section, row: ModelRow) -> dict[str, Any]:
    return {"dataset": section.dataset, "split": section.split, "data_sha256": section.data["sha256"],
            "model": row.name, "seeds": " ".join(map(str, row.seeds)),
            "threshold_low": min(row.thresholds, default=None), "threshold_high": max(row.thresholds, default=None),
            "training_seconds": row.cost["training"], "test_seconds": row.cost["evaluation"],
            "peak_memory_mib": row.cost["memory"], "parameters": row.cost["parameters"],
            "trainable": row.cost["trainable"], "runs": " ".join(row.runs)}


def _tests(section: Section, row: ModelRow) -> dict[str, Any]:
    gap = row.difference
    if gap is None:
        return {"spread": row.spread}
    return {"spread": row.spread, "against": section.reference.name, "difference": gap.value,
            "difference_low": gap.low, "difference_high": gap.high, "p": gap.plain, "p_holm": gap.p, "t": gap.t,
            "degrees": gap.degrees, "t_p": gap.t_p, "effect": gap.effect}
