"""A search trial by trial: every score, and the best so far."""
from __future__ import annotations

from typing import Sequence

from ..numbers import score
from .frame import WIDTH, Canvas, Figure, Scale

_LEFT, _HEIGHT = 44, 220


def search_figure(title: str, trials: Sequence[tuple[int, str, float | None]], bigger: bool) -> Figure:
    """Draws the figure.

    Args:
        title: what was searched and what is measured.
        trials: number from 1 on, status, and score, None for a failed one.
        bigger: whether a higher score is better.
    """
    canvas = Canvas()
    top, bottom = 30.0, 30.0 + _HEIGHT
    upright = Scale.over([value for *_, value in trials if value is not None], bottom - 12, top)
    most = max((number for number, *_ in trials), default=1)

    def place(number: int) -> float:
        return _LEFT + 12 + (WIDTH - _LEFT - 24) * (number - 1) / max(1, most - 1)

    canvas.text("name strong", 4, 16, title)
    for mark in upright.marks:
        canvas.line("grid", _LEFT, upright(mark), WIDTH, upright(mark))
        canvas.text("tick end", _LEFT - 6, upright(mark) + 4, upright.told(mark))
    step = max(1, -(-most // 10))
    for number in range(step if most > 10 else 1, most + 1, step):
        canvas.text("tick", place(number), bottom + 16, str(number))
    best: tuple[float, float] | None = None
    for number, _, value in trials:
        if value is None:
            continue
        if best is None or (value > best[1] if bigger else value < best[1]):
            x = place(number)
            if best is not None:
                canvas.line("link s1", best[0], upright(best[1]), x, upright(best[1]))
                canvas.line("link s1", x, upright(best[1]), x, upright(value))
            best = (x, value)
    if best is not None:
        canvas.line("link s1", best[0], upright(best[1]), place(most), upright(best[1]))
    for number, status, value in trials:
        kind, y = {"finished": "s0", "stopped": "s5", "failed": "s3"}[status], bottom - 2
        canvas.dot(kind, place(number), y if value is None else upright(value))
    canvas.text("axis", (_LEFT + WIDTH) / 2, bottom + 34, "trial")
    canvas.y = bottom + 40
    _legend(canvas, {status for _, status, _ in trials})
    told = "; ".join(f"trial {number}: {status}" + ("" if value is None else f", {score(value)}")
                     for number, status, value in trials)
    return canvas.figure(f"{title}. {told}")


def _legend(canvas: Canvas, known: set[str]) -> None:
    x, y = 8.0, canvas.y + 14
    for kind, name in (("s0", "finished"), ("s5", "stopped"), ("s3", "failed")):
        if name in known:
            canvas.dot(kind, x + 4, y)
            canvas.text("name", x + 13, y + 4, name)
            x += 26 + 8.2 * len(name)
    canvas.line("link s1", x, y, x + 18, y)
    canvas.text("name", x + 24, y + 4, "best so far")
    canvas.y += 26
