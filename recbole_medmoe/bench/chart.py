"""One small chart as SVG text: a dot with its 95 % interval per model. Colours come from the page's style sheet."""
from __future__ import annotations

import math
from html import escape
from typing import Callable, Sequence

from .numbers import interval, score

Place = Callable[[float], str]

_WIDTH, _LABEL, _VALUE, _ROW, _TOP, _BOTTOM = 480, 166, 56, 28, 12, 42   # texts of 14 units are 10 pixels on a phone


def ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers that enclose ``low`` to ``high``."""
    span = max(high - low, 1e-6)
    step = 10.0 ** math.floor(math.log10(span / 3))
    step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, max(last, first + 1) + 1)]


def interval_chart(metric: str, rows: Sequence[tuple[str, float, float | None, float | None]], reference: str) -> str:
    """Draws the chart.

    Args:
        metric: its name, for the axis and for readers that cannot see the picture.
        rows: name, value, low and high of each model, from top to bottom; no interval is drawn where low is None.
        reference: the model whose value a dashed line marks.
    """
    ends = [end for _, value, low, high in rows for end in (value, low, high) if end is not None]
    marks = ticks(min(ends), max(ends))
    plot = _WIDTH - _LABEL - _VALUE
    height = _TOP + _ROW * len(rows) + _BOTTOM
    bottom = _TOP + _ROW * len(rows)

    def place(value: float) -> str:
        return f"{_LABEL + plot * (value - marks[0]) / (marks[-1] - marks[0]):.1f}"

    told = "; ".join(f"{name} {score(value)}" + (f" ({interval(low, high)})" if low is not None else "")
                     for name, value, low, high in rows)
    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" '
             f'aria-label="{escape(f"{metric} with 95 % intervals: {told}", quote=True)}">']
    decimals = max(1, -math.floor(math.log10(marks[1] - marks[0]) + 1e-9))
    for mark in marks:
        parts.append(f'<line class="grid" x1="{place(mark)}" x2="{place(mark)}" y1="{_TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{place(mark)}" y="{bottom + 16}">{mark:.{decimals}f}</text>')
    for name, value, _, _ in rows:
        if name == reference:
            parts.append(f'<line class="reference" x1="{place(value)}" x2="{place(value)}" y1="{_TOP}" y2="{bottom}"/>')
    for index, (name, value, low, high) in enumerate(rows):
        parts.append(_mark(name, value, low, high, _TOP + _ROW * index + _ROW / 2, place, name == reference))
    parts.append(f'<text class="axis" x="{_LABEL + plot / 2:.0f}" y="{height - 3}">{escape(metric)}</text></svg>')
    return "".join(parts)


def _mark(name: str, value: float, low: float | None, high: float | None, y: float, place: Place,
          first: bool) -> str:
    kind = "series first" if first else "series"
    shown = name if len(name) <= 20 else name[:19] + "…"
    parts = [f'<g class="{kind}"><text class="label" x="{_LABEL - 12}" y="{y + 5:.0f}">{escape(shown)}</text>']
    if low is not None and high is not None:
        parts.append(f'<line x1="{place(low)}" x2="{place(high)}" y1="{y:.0f}" y2="{y:.0f}"/>')
        parts += [f'<line x1="{place(end)}" x2="{place(end)}" y1="{y - 5:.0f}" y2="{y + 5:.0f}"/>'
                  for end in (low, high)]
    parts.append(f'<circle cx="{place(value)}" cy="{y:.0f}" r="5"/>')
    parts.append(f'<text class="value" x="{_WIDTH - 4}" y="{y + 5:.0f}">{score(value)}</text></g>')
    return "".join(parts)
