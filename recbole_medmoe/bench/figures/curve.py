"""Curves: a line with intervals per row, over shares on a logarithmic axis, or on a plain one that begins at 0."""
from __future__ import annotations

import math
from typing import Sequence

from ..numbers import interval, score
from .frame import WIDTH, Canvas, Figure, Scale

Point = tuple[float, float, float, float]
_LEFT, _HEIGHT = 40, 250


def curve(axis: str, lines: Sequence[tuple[str, Sequence[Point]]], across: str, from_zero: bool = False) -> Figure:
    """Draws the figure.

    Args:
        axis: what is measured.
        lines: name, and (share, value, low, high) from left to right.
        across: what the shares are shares of.
        from_zero: the axis is plain and begins at 0.
    """
    canvas = Canvas()
    top, bottom = 10.0, 10.0 + _HEIGHT
    upright = Scale.over([end for _, points in lines for point in points for end in point[1:]], bottom, top)
    shares = sorted({point[0] for _, points in lines for point in points})
    start, along = (0.0, float) if from_zero else (math.log(shares[0]), math.log)
    span = along(shares[-1]) - start or 1.0

    def place(share: float, number: int) -> float:
        """Series stand side by side, so that their intervals can be told apart."""
        apart = 5 * (number - (len(lines) - 1) / 2)
        return _LEFT + 18 + (WIDTH - _LEFT - 36) * (along(share) - start) / span + apart

    for mark in upright.marks:
        canvas.line("grid", _LEFT, upright(mark), WIDTH, upright(mark))
        canvas.text("tick end", _LEFT - 6, upright(mark) + 4, upright.told(mark))
    for share in shares:
        canvas.text("tick", place(share, 0) + 5 * (len(lines) - 1) / 2, bottom + 16, f"{share:.0%}")
    for number, (_, points) in enumerate(lines):
        kind = f"s{number % 6}"
        spots = [(place(share, number), value, low, high) for share, value, low, high in points]
        for (x1, value1, *_), (x2, value2, *_) in zip(spots, spots[1:]):
            canvas.line(f"link {kind}", x1, upright(value1), x2, upright(value2))
        for x, value, low, high in spots:
            canvas.line(f"whisker {kind}", x, upright(low), x, upright(high))
            canvas.dot(kind, x, upright(value))
    canvas.text("axis", (_LEFT + WIDTH) / 2, bottom + 34, f"{axis} by share of {across}")
    canvas.y = bottom + 40
    canvas.legend([name for name, _ in lines])
    spoken = "; ".join(f"{name}: " + ", ".join(f"{share:.0%} {score(value)} ({interval(low, high)})"
                                               for share, value, low, high in points) for name, points in lines)
    return canvas.figure(f"{axis} by share of {across}. {spoken}")
