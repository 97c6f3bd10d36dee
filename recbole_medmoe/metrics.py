"""Metrics that RecBole lacks, by name: its tables are told of them once, so that configurations and trainers take them.

What each one computes lies in `evaluation`; here is only what RecBole asks of a metric.
"""
from __future__ import annotations

from .errors import ConfigError

OWN_METRICS: dict[str, str] = {
    "ListDistance": "1 - the share of items that the top K lists of two users have in common, mean over all pairs",
    "PopularityLift": "precision of the top K above that of the K most popular items; per row, mean over rows",
}

SET_METRICS: dict[str, str] = {
    "PRAUC": "medication: average precision of a visit's set; per visit, mean over visits",
    "Jaccard": "medication: |both| / |either| of the set given and the true one; per visit, mean over visits",
    "F1": "medication: 2 |both| / (|given| + |true|); per visit, mean over visits",
    "DDIRate": "medication: interacting pairs / pairs in the sets given, all visits together; needs ddi.csv",
    "TrueDDIRate": "medication: the same of the true sets",
    "SetSize": "medication: number of medications given; mean over visits",
    "TrueSetSize": "medication: number of medications in the true set; mean over visits",
}
CHOICE_METRICS: dict[str, str] = {
    "Accuracy": "choice: whether the option ranked first is the right one; per question, mean over questions",
    "MacroAccuracy": "choice: mean over tasks of their accuracies, whatever their sizes",
    "BlindAccuracy": "choice: 1 / number of options, what guessing gets; mean over questions",
}
WHOLE_METRICS = frozenset({"itemcoverage", "giniindex", "shannonentropy", "listdistance", "ddirate", "trueddirate",
                           "macroaccuracy"})
"""Metrics, by key, that have one value for all rows together and none per row: no paired test is made on them."""
RANK_METRICS = ("Precision", "Recall", "NDCG", "MAP", "Hit", "MRR")
"""RecBole's metrics beside `SET_METRICS` and `CHOICE_METRICS`."""


def register() -> None:
    """Enters `OWN_METRICS`, `SET_METRICS` and `CHOICE_METRICS` in RecBole's tables, once, after `compat` mended it."""
    from recbole.evaluator import register as table
    from recbole.evaluator.base_metric import AbstractMetric
    from recbole.utils import EvaluatorType

    class FullSortOnly(AbstractMetric):
        """Computed by `evaluation` and by nothing else."""

        metric_type = EvaluatorType.RANKING
        metric_need = ["rec.items", "data.num_items", "data.count_items"]

        def calculate_metric(self, dataobject: object) -> dict[str, float]:
            """RecBole's own collector does not hold what these need.

            Raises:
                ConfigError: always.
            """
            own = ", ".join((*OWN_METRICS, *SET_METRICS, *CHOICE_METRICS))
            raise ConfigError([f"metrics: {own} need full ranking (eval_args mode: full)"])

    for name in (*OWN_METRICS, *SET_METRICS, *CHOICE_METRICS):
        key = name.lower()
        if key not in table.metrics_dict:
            table.metrics_dict[key] = type(name, (FullSortOnly,), {})
            # RecBole takes a metric that needs lists for one that has cut-offs.
            table.metric_information[key] = FullSortOnly.metric_need if name in OWN_METRICS else []
            table.metric_types[key] = FullSortOnly.metric_type
