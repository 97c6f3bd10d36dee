"""Full-sort evaluation with a value per row, groups, intervals and tests."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .comparison import Against, Comparison, ModelSummary, compare
from .groups import GroupRow, group_table
from .item_groups import ItemGroup, item_groups, reclassified
from .medication import average_precision, interactions, overlap, tune_threshold
from .ranking import ROW_METRICS, rank_metrics
from .ratios import ratio_names, ratio_parts
from .rounds import round_table
from .statistics import (Equivalence, Interval, Paired, TTest, bootstrap_interval, effect_size, equivalence, holm,
                         paired_bootstrap, paired_t, ratio_interval)

if TYPE_CHECKING:
    from .evaluator import FULL_SORT_METRICS, Evaluation, evaluate_full_sort, supports
    from .routing import RoutingCounts, routing_table, watching

__all__ = ["FULL_SORT_METRICS", "ROW_METRICS", "Against", "Comparison", "Equivalence", "Evaluation", "GroupRow",
           "Interval", "ItemGroup", "ModelSummary", "Paired", "RoutingCounts", "TTest", "average_precision",
           "bootstrap_interval", "compare", "effect_size", "equivalence", "evaluate_full_sort", "group_table", "holm",
           "interactions", "item_groups", "overlap", "paired_bootstrap", "paired_t", "rank_metrics", "ratio_interval",
           "ratio_names", "ratio_parts", "reclassified", "round_table", "routing_table", "supports", "tune_threshold",
           "watching"]


def __getattr__(name: str) -> Any:
    """The evaluator loads torch and RecBole, and routing torch, which reports and statistics do without."""
    if name in ("FULL_SORT_METRICS", "Evaluation", "evaluate_full_sort", "supports"):
        from . import evaluator

        return getattr(evaluator, name)
    if name in ("RoutingCounts", "routing_table", "watching"):
        from . import routing

        return getattr(routing, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
