"""Metrics that RecBole lacks, by name: its tables are told of them once, so that configurations and trainers take them.

What each one computes lies in `evaluation`; here is only what RecBole asks of a metric.
"""
from __future__ import annotations

from .errors import ConfigError

OWN_METRICS: dict[str, str] = {
    "ListDistance": "1 - the share of items that the top K lists of two users have in common, mean over all pairs",
    "PopularityLift": "precision of the top K above that of the K most popular items; per row, mean over rows",
}


def register() -> None:
    """Enters `OWN_METRICS` in RecBole's tables, once. RecBole must be mended first (`compat`)."""
    from recbole.evaluator import register as table
    from recbole.evaluator.base_metric import AbstractMetric
    from recbole.utils import EvaluatorType

    class FullSortOnly(AbstractMetric):
        """Computed by `evaluation.evaluate_full_sort` and by nothing else."""

        metric_type = EvaluatorType.RANKING
        metric_need = ["rec.items", "data.num_items", "data.count_items"]

        def calculate_metric(self, dataobject: object) -> dict[str, float]:
            """RecBole's own collector does not hold what these need.

            Raises:
                ConfigError: always.
            """
            raise ConfigError([f"metrics: {' and '.join(OWN_METRICS)} need full ranking (eval_args mode: full)"])

    for name in OWN_METRICS:
        key = name.lower()
        if key not in table.metrics_dict:
            table.metrics_dict[key] = type(name, (FullSortOnly,), {})
            table.metric_information[key] = FullSortOnly.metric_need
            table.metric_types[key] = FullSortOnly.metric_type
