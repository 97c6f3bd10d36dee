"""Full-sort evaluation with a value per row, groups, intervals and tests."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .comparison import Against, Comparison, ModelSummary, compare
from .groups import GroupRow, group_table
from .item_groups import ItemGroup, item_groups, reclassified
from .ranking import ROW_METRICS, rank_metrics
from .routing import routing_table
from .statistics import (Equivalence, Interval, Paired, TTest, bootstrap_interval, effect_size, equivalence, holm,
                         paired_bootstrap, paired_t, ratio_interval)

if TYPE_CHECKING:
    from .evaluator import FULL_SORT_METRICS, Evaluation, evaluate_full_sort, supports

__all__ = ["FULL_SORT_METRICS", "ROW_METRICS", "Against", "Comparison", "Equivalence", "Evaluation", "GroupRow",
           "Interval", "ItemGroup", "ModelSummary", "Paired", "TTest", "bootstrap_interval", "compare", "effect_size",
           "equivalence", "evaluate_full_sort", "group_table", "holm", "item_groups", "paired_bootstrap", "paired_t",
           "rank_metrics", "ratio_interval", "reclassified", "routing_table", "supports"]


def __getattr__(name: str) -> Any:
    """The evaluator loads torch and RecBole, which reports and statistics do without."""
    if name in ("FULL_SORT_METRICS", "Evaluation", "evaluate_full_sort", "supports"):
        from . import evaluator

        return getattr(evaluator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
