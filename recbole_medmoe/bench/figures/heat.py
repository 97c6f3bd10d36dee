"""A map of values: one line per row, one cell per column, panels side by side; the darker the larger."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..numbers import score
from .frame import WIDTH, Canvas, Figure, shortened

_GAP, _STEPS, _LETTERS = 8, 6, 20


@dataclass(frozen=True)
class Panel:
    """Columns that belong together: a title, a name for each, and ``values``, a row of numbers per line."""

    title: str
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]


def heat(axis: str, rows: Sequence[str], panels: Sequence[Panel]) -> Figure:
    """Draws the figure.

    Args:
        axis: what the values are.
        rows: labels of the lines.
        panels: each with a line of values per row; all share one scale from 0 to the largest value.
    """
    canvas, high = Canvas(), 18.0 if len(rows) <= 24 else 14.0
    label = 14 + 7.9 * min(_LETTERS, max(map(len, rows)))
    largest = max(value for panel in panels for line in panel.values for value in line)
    wide = (WIDTH - label - _GAP * (len(panels) - 1)) / sum(len(panel.columns) for panel in panels)
    canvas.y, left = 22.0, label
    for number, name in enumerate(rows):
        canvas.text("label", label - 8, canvas.y + high * (number + .5) + 4.5, shortened(name, _LETTERS))
    for panel in panels:
        width = wide * len(panel.columns)
        canvas.text("tick", left + width / 2, 14, shortened(panel.title, max(3, int(width / 7))))
        for number, line in enumerate(panel.values):
            for place, value in enumerate(line):
                canvas.box("heat", left + place * wide, canvas.y + number * high, left + (place + 1) * wide - .6,
                           canvas.y + (number + 1) * high - .6, value / largest if largest > 0 else 0.0)
        every = max(1, -(-22 // int(max(wide, 1))))  # names closer than this would run into each other
        for place in range(0, len(panel.columns), every):
            canvas.text("tick", left + (place + .5) * wide, canvas.y + high * len(rows) + 14, panel.columns[place])
        left += width + _GAP
    canvas.y += high * len(rows) + 24
    _scale(canvas, axis, largest)
    return canvas.figure(f"{axis}. " + "; ".join(_spoken(panel, rows) for panel in panels))


def _spoken(panel: Panel, rows: Sequence[str]) -> str:
    """Where a panel's least and largest values stand."""
    cells = [(value, f"{label}, {name}") for label, line in zip(rows, panel.values)
             for name, value in zip(panel.columns, line)]
    (least, low), (most, high) = min(cells), max(cells)
    return f"{panel.title}: from {score(least)} ({low}) to {score(most)} ({high})"


def _scale(canvas: Canvas, axis: str, largest: float) -> None:
    """What the shades mean."""
    left = 24.0
    canvas.text("tick end", left - 4, canvas.y + 11, "0")
    for step in range(_STEPS):
        canvas.box("heat", left + 12 * step, canvas.y, left + 12 * step + 11, canvas.y + 14, step / (_STEPS - 1))
    canvas.text("name", left + 12 * _STEPS + 6, canvas.y + 11, f"{score(largest)} {axis}")
    canvas.y += 18
