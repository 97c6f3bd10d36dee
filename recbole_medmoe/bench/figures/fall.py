"""Two dots per row, joined: how far each row falls from one split to a harder one."""
from __future__ import annotations

from typing import Sequence

from ..numbers import score, signed
from .frame import WIDTH, Canvas, Figure, Scale, shortened

_LABEL, _VALUE, _ROW = 152, 62, 23


def fall(axis: str, rows: Sequence[tuple[str, float, float]], names: tuple[str, str]) -> Figure:
    """Draws the figure.

    Args:
        axis: what is measured.
        rows: label, value on the first split, value on the second.
        names: of the two splits.
    """
    canvas = Canvas()
    canvas.legend(names)
    canvas.y += 4
    top, bottom = canvas.y, canvas.y + _ROW * len(rows)
    scale = Scale.over([value for _, *values in rows for value in values], _LABEL, WIDTH - _VALUE)
    canvas.grid(scale, top, bottom)
    for number, (label, before, after) in enumerate(rows):
        y = top + _ROW * (number + .5)
        canvas.text("label", _LABEL - 8, y + 4.5, shortened(label, 21))
        canvas.line("join", scale(before), y, scale(after), y)
        canvas.dot("s0", scale(before), y)
        canvas.dot("s1", scale(after), y)
        canvas.text("value", WIDTH, y + 4.5, signed(after - before))
    canvas.text("axis", (_LABEL + WIDTH - _VALUE) / 2, bottom + 32, axis)
    canvas.y = bottom + 38
    spoken = "; ".join(f"{label} {score(before)} to {score(after)}" for label, before, after in rows)
    return canvas.figure(f"{axis} on {names[0]} and on {names[1]}. {spoken}")
