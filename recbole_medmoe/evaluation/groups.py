"""Metrics of groups of rows: cold patients, conditions, cold items."""
from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .ratios import means

Array = np.ndarray


class GroupRow(NamedTuple):
    """One group.

    Attributes:
        n: patients in the group (rows, where no clusters are given).
        metrics: mean over the group's rows, or None: n too small to be shown.
    """

    n: int
    metrics: dict[str, float] | None

    def cell(self, metric: str) -> str:
        """The metric as text for a table, ``n too small`` where the group is below the floor."""
        return "n too small" if self.metrics is None else f"{self.metrics[metric]:.4f}"


def group_table(columns: Mapping[str, Array], groups: Mapping[str, Array], *, min_group: int = 20,
                clusters: Array | None = None) -> dict[str, GroupRow]:
    """Means of each group.

    Args:
        columns: metric to [N] values per row; pooled metrics by their two columns, see `ratio_columns`.
        groups: group to [N] bool; groups may overlap.
        min_group: smallest number of patients whose mean is shown (design 7).
        clusters: [N] the patient of each row.

    Raises:
        ValueError: a mask that does not have one entry per row.
    """
    table: dict[str, GroupRow] = {}
    rows = len(next(iter(columns.values()))) if columns else 0
    for name, mask in groups.items():
        inside = np.asarray(mask, dtype=bool)
        if inside.shape != (rows,):
            raise ValueError(f"group '{name}' has shape {inside.shape}, but there are {rows} rows")
        n = int(inside.sum()) if clusters is None else len(np.unique(np.asarray(clusters)[inside]))
        small = n < max(min_group, 1)
        table[name] = GroupRow(n, None if small else means(columns, inside))
    return table
