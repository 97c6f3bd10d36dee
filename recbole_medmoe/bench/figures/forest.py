"""A dot with its interval per line, in blocks under headings: differences, levels, shares of a metric."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

from ..numbers import score, signed
from .frame import WIDTH, Canvas, Figure, Scale, shortened

_LABELS, _VALUE, _ROW = (152, 180), 52, 21   # two widths of the column of labels


@dataclass(frozen=True)
class Line:
    """One line: value and interval (None where there is none); ``kind`` is '', ``up``, ``down`` or ``first``."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    kind: str = ""


@dataclass(frozen=True)
class Block:
    """Lines under one heading."""

    heading: str
    lines: tuple[Line, ...]


def forest(axis: str, blocks: Sequence[Block], *, zero: bool = False, margin: float | None = None,
           own_scales: bool = False) -> Figure:
    """Draws the figure.

    Args:
        axis: what is measured.
        blocks: from top to bottom.
        zero: values are differences: a line at 0, and signs in front of the numbers.
        margin: shades what counts as no difference, from ``-margin`` to ``margin``.
        own_scales: each block has an axis of its own, named by its heading.
    """
    canvas = Canvas()
    left = _LABELS[any(len(line.label) > 21 for block in blocks for line in block.lines)]
    told: Callable[[float | None], str] = signed if zero else score
    marked = [0.0] if zero else []
    marked += [-margin, margin] if margin is not None else []

    def scale_of(lines: Sequence[Line]) -> Scale:
        ends = [end for line in lines for end in (line.value, line.low, line.high) if end is not None]
        return Scale.over([*ends, *marked], left, WIDTH - _VALUE)

    shared = scale_of([line for block in blocks for line in block.lines])
    for place, block in enumerate(blocks):
        scale = scale_of(block.lines) if own_scales else shared
        top = canvas.y + (24 if block.heading else 6)
        bottom = top + _ROW * len(block.lines)
        if block.heading:
            canvas.text("heading", 0, canvas.y + 17, shortened(block.heading, 62))
        if margin is not None:
            canvas.box("band", scale(-margin), top, scale(margin), bottom)
        last = own_scales or place == len(blocks) - 1
        for mark in scale.marks:
            canvas.line("zero" if zero and mark == 0 else "grid", scale(mark), top, scale(mark), bottom)
            if last:
                canvas.text("tick", scale(mark), bottom + 14, scale.told(mark))
        for number, line in enumerate(block.lines):
            _draw(canvas, line, scale, top + _ROW * (number + .5), told)
        canvas.y = bottom + (22 if own_scales else 2)
    if not own_scales:
        canvas.text("axis", (left + WIDTH - _VALUE) / 2, canvas.y + 30, axis)
        canvas.y += 34
    spoken = "; ".join((f"{block.heading}: " if block.heading else "")
                       + ", ".join(_spoken(line, told) for line in block.lines) for block in blocks)
    return canvas.figure(f"{axis}. {spoken}")


def _draw(canvas: Canvas, line: Line, scale: Scale, y: float, told: Callable[[float | None], str]) -> None:
    canvas.text(f"label {line.kind}".strip(), scale.left - 8, y + 4.5, shortened(line.label, 25))
    if line.low is not None and line.high is not None:
        canvas.line(f"whisker {line.kind}".strip(), scale(line.low), y, scale(line.high), y)
    canvas.dot(f"mark {line.kind}".strip(), scale(line.value), y)
    canvas.text("value", WIDTH, y + 4.5, told(line.value))


def _spoken(line: Line, told: Callable[[float | None], str]) -> str:
    if line.low is None or line.high is None:
        return f"{line.label} {told(line.value)}"
    return f"{line.label} {told(line.value)} ({told(line.low)} to {told(line.high)})"
