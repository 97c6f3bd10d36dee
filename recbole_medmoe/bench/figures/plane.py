"""Numbered series on a plane: accuracy against cost, curves of training, curves of thresholds."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

from ..numbers import interval, score
from .frame import WIDTH, Canvas, Figure, Scale

_LEFT, _TOP, _HEIGHT = 44.0, 10.0, 250.0
_AROUND = ((9.0, 4.5), (-17.0, 4.5), (-4.0, -9.0), (-4.0, 17.0), (9.0, -9.0), (9.0, 17.0))
"""Where a number may stand beside its dot; the first free place is taken."""


@dataclass(frozen=True)
class Spot:
    """One model: seconds of training, value and its interval, None where it has none."""

    name: str
    seconds: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """One line: points from left to right, and the point that was chosen, None where none is marked."""

    name: str
    points: tuple[tuple[float, float], ...]
    chosen: tuple[float, float] | None = None


def against_cost(metric: str, spots: Sequence[Spot], frontier: bool) -> Figure:
    """Draws what each model reaches and how long its training took, seconds as logarithms.

    Args:
        metric: what is measured.
        spots: one per model, seconds above 0.
        frontier: join the models that no other beats at the same or lower cost.
    """
    canvas, bottom = Canvas(), _TOP + _HEIGHT
    ends = [end for spot in spots for end in (spot.value, spot.low, spot.high) if end is not None]
    upright = _upright(canvas, ends)
    powers = [math.log10(spot.seconds) for spot in spots]
    low = math.floor(min(powers) + 1e-9)
    high = max(low + 1, math.ceil(max(powers) - 1e-9))

    def place(seconds: float) -> float:
        return _LEFT + 14 + (WIDTH - _LEFT - 42) * (math.log10(seconds) - low) / (high - low)

    for power in range(low, high + 1):
        canvas.line("grid", place(10.0 ** power), _TOP, place(10.0 ** power), bottom)
        canvas.text("tick", place(10.0 ** power), bottom + 16, _seconds(power))
    if frontier:
        best = _frontier(spots)
        for one, other in zip(best, best[1:]):
            canvas.line("link s5", place(one.seconds), upright(one.value), place(other.seconds), upright(other.value))
    taken = [(place(spot.seconds), upright(spot.value)) for spot in spots]
    for number, spot in enumerate(spots):
        kind, x = f"s{number % 6}", place(spot.seconds)
        if spot.low is not None and spot.high is not None:
            canvas.line(f"whisker {kind}", x, upright(spot.low), x, upright(spot.high))
        canvas.dot(kind, x, upright(spot.value))
        _number(canvas, number + 1, x, upright(spot.value), taken)
    canvas.text("axis", (_LEFT + WIDTH) / 2, bottom + 34, f"{metric} by time of training")
    canvas.y = bottom + 40
    canvas.legend([f"{number} {spot.name}" for number, spot in enumerate(spots, start=1)])
    told = "; ".join(f"{spot.name} {score(spot.value)}" + (f" ({interval(spot.low, spot.high)})" if spot.low is not None
                                                           else "") + f" in {spot.seconds:.3g} s" for spot in spots)
    return canvas.figure(f"{metric} by time of training. {told}")


def lines(across: str, axis: str, series: Sequence[Series]) -> Figure:
    """Draws one line per series.

    Args:
        across: what lies along the bottom, from 0 on.
        axis: what is measured.
        series: each with at least one point.
    """
    canvas, bottom = Canvas(), _TOP + _HEIGHT
    upright = _upright(canvas, [value for one in series for _, value in one.points])
    along = Scale.over([0.0, *(x for one in series for x, _ in one.points)], _LEFT + 6, WIDTH - 20)
    canvas.grid(along, _TOP, bottom)
    taken: list[tuple[float, float]] = []
    for place, one in enumerate(series):
        kind = f"s{place % 6}"
        spots = [(along(x), upright(value)) for x, value in one.points]
        for (x1, y1), (x2, y2) in zip(spots, spots[1:]):
            canvas.line(f"link {kind}", x1, y1, x2, y2)
        if one.chosen is not None:
            canvas.dot(kind, along(one.chosen[0]), upright(one.chosen[1]))
        elif len(spots) == 1:
            canvas.dot(kind, *spots[0])
        _number(canvas, place + 1, *spots[-1], taken)
    canvas.text("axis", (_LEFT + WIDTH) / 2, bottom + 34, f"{axis} by {across}")
    canvas.y = bottom + 40
    canvas.legend([f"{number} {one.name}" for number, one in enumerate(series, start=1)])
    told = "; ".join(f"{one.name}: " + ", ".join(f"{x:.4g} {score(value)}" for x, value in one.points)
                     for one in series)
    return canvas.figure(f"{axis} by {across}. {told}")


def _upright(canvas: Canvas, values: Sequence[float]) -> Scale:
    scale = Scale.over(values, _TOP + _HEIGHT, _TOP)
    for mark in scale.marks:
        canvas.line("grid", _LEFT, scale(mark), WIDTH, scale(mark))
        canvas.text("tick end", _LEFT - 6, scale(mark) + 4, scale.told(mark))
    return scale


def _number(canvas: Canvas, number: int, x: float, y: float, taken: list[tuple[float, float]]) -> None:
    """Writes a number beside a place, where none of those taken is in the way."""
    inside = [(x + right, y + down) for right, down in _AROUND if x + right < WIDTH - 14]
    spot = next((at for at in inside if all(abs(at[0] + 4 - other[0]) > 9 or abs(at[1] - 4 - other[1]) > 9
                                            for other in taken)), inside[0])
    taken.append((spot[0] + 4, spot[1] - 4))
    canvas.text("name", *spot, str(number))


def _frontier(spots: Sequence[Spot]) -> list[Spot]:
    best: list[Spot] = []
    for spot in sorted(spots, key=lambda one: (one.seconds, -one.value)):
        if not best or spot.value > best[-1].value:
            best.append(spot)
    return best


def _seconds(power: int) -> str:
    return f"{10 ** (power + 3):,} ms" if -3 <= power < 0 else f"{10.0 ** power:,.7g} s"
