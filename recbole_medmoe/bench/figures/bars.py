"""Shares that sum to one, a bar per line: what a gate gives to each expert or branch."""
from __future__ import annotations

from typing import Sequence

from .frame import WIDTH, Canvas, Figure, shortened

_LABEL, _ROW = 172, 21


def shares(axis: str, rows: Sequence[tuple[str, Sequence[float]]], names: Sequence[str], first: int = 0) -> Figure:
    """Draws the figure.

    Args:
        axis: what the shares are shares of.
        rows: label, and one share per name.
        names: of the parts, from left to right.
        first: number of the first part's colour.
    """
    canvas = Canvas()
    canvas.legend(names, first)
    canvas.y += 2
    for label, parts in rows:
        canvas.text("label", _LABEL - 8, canvas.y + _ROW / 2 + 4.5, shortened(label, 24))
        x = float(_LABEL)
        for place, part in enumerate(parts, start=first):
            end = x + part * (WIDTH - _LABEL)
            canvas.box(f"s{place % 6}", x, canvas.y + 3, end, canvas.y + _ROW - 3)
            if end - x > 26:
                canvas.text("inside", (x + end) / 2, canvas.y + _ROW / 2 + 4, f"{part:.0%}")
            x = end
        canvas.y += _ROW
    canvas.text("axis", (_LABEL + WIDTH) / 2, canvas.y + 14, axis)
    canvas.y += 20
    spoken = "; ".join(f"{label}: " + ", ".join(f"{name} {part:.0%}" for name, part in zip(names, parts))
                       for label, parts in rows)
    return canvas.figure(f"{axis}. {spoken}")
