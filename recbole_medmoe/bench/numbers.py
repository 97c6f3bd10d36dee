"""How numbers are written, the same in the terminal, in Markdown and on the page."""
from __future__ import annotations

from typing import Sequence

_UNSURE = 0.05   # the level of the intervals and of the Holm-adjusted tests


def score(value: float | None) -> str:
    """A metric with three decimals; an en dash where there is none."""
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def interval(low: float | None, high: float | None) -> str:
    """``0.590–0.652``, or ``−0.002 to 0.136`` where an end is below 0; empty where a metric has no interval."""
    if low is None or high is None:
        return ""
    return f"{score(low)}{' to ' if low < 0 else '–'}{score(high)}"


def signed(value: float | None) -> str:
    """A difference with its sign, the minus as long as the plus."""
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def signed_interval(low: float | None, high: float | None) -> str:
    """``−0.050 to −0.018``: a dash between signed numbers would be read as another sign."""
    return "" if low is None or high is None else f"{signed(low)} to {signed(high)}"


def p_value(value: float | None) -> str:
    """A p-value; below .001 only that."""
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def shown(p: float | None) -> bool:
    """Whether an adjusted p-value shows a difference."""
    return p is not None and p < _UNSURE


def thresholds(values: Sequence[float]) -> str:
    """One threshold, or the lowest and the highest of several runs; an en dash where there is none."""
    if not values:
        return "–"
    low, high = (f"{value:.3f}".replace("-", "−") for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def plus_minus(value: tuple[float, float]) -> str:
    """Mean and standard deviation."""
    return f"{value[0]:.4f} ± {value[1]:.4f}"


def seconds(value: float | None) -> str:
    """``9 ms``, ``0.4 s``, ``38 s``, ``4 min 10 s``."""
    if value is None:
        return "–"
    if value < 0.0995:
        return f"{1000 * value:.0f} ms"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02d} s"


def memory(value: float | None) -> str:
    """Mebibytes with a thousands mark."""
    return "–" if value is None else f"{value:,.0f} MiB"


def count(value: float | None) -> str:
    """A whole number with a thousands mark."""
    return "–" if value is None else f"{round(value):,}"
