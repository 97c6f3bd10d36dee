"""One dot per variant on a line per comparison: does a difference hang on one set of labels?"""
from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from ..numbers import signed
from .frame import WIDTH, Canvas, Figure, Scale, shortened

_ROW = 46


def strip(axis: str, rows: Sequence[tuple[str, Mapping[str, float]]], own: str) -> Figure:
    """Draws the figure.

    Args:
        axis: what is measured; values are differences.
        rows: name of a comparison, and name of a variant to its difference.
        own: the variant that is drawn apart.
    """
    canvas = Canvas()
    canvas.y = 4
    scale = Scale.over([0.0, *(value for _, values in rows for value in values.values())], 22, WIDTH - 22)
    top, bottom = canvas.y, canvas.y + _ROW * len(rows)
    for mark in scale.marks:
        for number in range(len(rows)):   # behind the dots, not behind the names
            y = top + _ROW * number
            canvas.line("zero" if mark == 0 else "grid", scale(mark), y + 19, scale(mark), y + 43)
        canvas.text("tick", scale(mark), bottom + 14, scale.told(mark))
    for number, (name, values) in enumerate(rows):
        y = top + _ROW * number
        middle = float(np.median(list(values.values())))
        canvas.text("name strong", 4, y + 15, shortened(name, 46))
        canvas.text("value", WIDTH, y + 15, f"median {signed(middle)}")
        for place, (variant, value) in enumerate(values.items()):
            if variant != own:
                canvas.dot("faint", scale(value), y + 27 + 4 * (place % 3), 3.5)
        canvas.line("median", scale(middle), y + 21, scale(middle), y + 41)
        if own in values:
            canvas.dot("first", scale(values[own]), y + 31, 4.5)
    canvas.text("axis", WIDTH / 2, bottom + 32, axis)
    canvas.y = bottom + 38
    spoken = "; ".join(f"{name}: " + ", ".join(f"{variant} {signed(value)}" for variant, value in values.items())
                       for name, values in rows)
    return canvas.figure(f"{axis}, one dot per variant. {spoken}")
