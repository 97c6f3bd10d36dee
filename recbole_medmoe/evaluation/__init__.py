"""Full-sort evaluation with a value per row, groups, intervals and tests."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .comparison import Against, Comparison, ModelSummary, compare
from .groups import GroupRow, group_table
from .ranking import ROW_METRICS, rank_metrics
from .statistics import Interval, Paired, TTest, bootstrap_interval, holm, paired_bootstrap, paired_t

if TYPE_CHECKING:
    from .evaluator import FULL_SORT_METRICS, Evaluation, evaluate_full_sort, supports

__all__ = ["FULL_SORT_METRICS", "ROW_METRICS", "Against", "Comparison", "Evaluation", "GroupRow", "Interval",
           "ModelSummary", "Paired", "TTest", "bootstrap_interval", "compare", "evaluate_full_sort", "group_table",
           "holm", "paired_bootstrap", "paired_t", "rank_metrics", "supports"]


def __getattr__(name: str) -> Any:
    """The evaluator loads torch and RecBole, which reports and statistics do without."""
    if name in ("FULL_SORT_METRICS", "Evaluation", "evaluate_full_sort", "supports"):
        from . import evaluator

        return getattr(evaluator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
