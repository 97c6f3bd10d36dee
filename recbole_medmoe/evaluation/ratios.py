"""Pooled metrics: two columns of values per row whose sums are divided, beside metrics that are means of one."""
from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

Array = np.ndarray

_ABOVE, _BELOW = "/numerator", "/denominator"


def ratio_columns(metric: str, numerators: Array, denominators: Array) -> dict[str, Array]:
    """The two columns [N] of a pooled metric; `means` gives ``sum / sum`` under the metric's name."""
    return {metric + _ABOVE: numerators, metric + _BELOW: denominators}


def ratio_parts(metric: str) -> tuple[str, str]:
    """Names of the two columns of a pooled metric."""
    return metric + _ABOVE, metric + _BELOW


def ratio_names(columns: Iterable[str]) -> list[str]:
    """Names of the pooled metrics whose two columns are there."""
    known = list(columns)
    return [name.removesuffix(_ABOVE) for name in known
            if name.endswith(_ABOVE) and name.removesuffix(_ABOVE) + _BELOW in known]


def plain_names(columns: Iterable[str]) -> list[str]:
    """Names of the columns that are metrics by themselves."""
    return [name for name in columns if not name.endswith((_ABOVE, _BELOW))]


def means(columns: Mapping[str, Array], inside: Array | None = None) -> dict[str, float]:
    """Every metric over the rows.

    Args:
        columns: name to [N] values.
        inside: [N] bool, rows that count; all where it is not given.

    Returns:
        Metric to its mean, or to its ratio of sums; a pooled metric whose denominators sum to 0 is left out.
    """
    rows = slice(None) if inside is None else inside
    found = {name: float(columns[name][rows].mean()) for name in plain_names(columns)}
    for name in ratio_names(columns):
        above, below = (float(columns[part][rows].sum()) for part in ratio_parts(name))
        if below > 0:
            found[name] = above / below
    return found
