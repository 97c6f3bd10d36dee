"""What all figures share: a narrow canvas that stays readable on a phone, scales, and the frame of a file."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Iterable

from ..chart import ticks

WIDTH = 440   # viewBox units; texts of 13 units are over 10 pixels on a phone
_CSS = Path(__file__).parents[1] / "chart.css.j2"


@dataclass(frozen=True)
class Figure:
    """A finished figure: viewBox ``width`` x ``height``, its marks, and what a screen reader says."""

    width: int
    height: int
    body: str
    label: str

    def inline(self) -> str:
        """As part of a page, which holds the style."""
        return (f'<svg class="chart narrow" viewBox="0 0 {self.width} {self.height}" role="img" '
                f'aria-label="{escape(self.label, quote=True)}">{self.body}</svg>')

    def standalone(self) -> str:
        """As a file of its own, light and dark."""
        css = "".join(line.strip() for line in _CSS.read_text(encoding="utf-8").splitlines())
        return (f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img" font-family="system-ui, sans-serif" '
                f'font-size="13"><title>{escape(self.label)}</title><style>{css}</style>'
                f'<rect class="paper" width="{self.width}" height="{self.height}"/>{self.body}</svg>\n')


@dataclass(frozen=True)
class Scale:
    """Values to places between ``left`` and ``right``, with the marks that the axis shows."""

    marks: tuple[float, ...]
    left: float
    right: float

    @classmethod
    def over(cls, values: Iterable[float], left: float, right: float) -> Scale:
        """A scale whose round marks enclose the values."""
        known = list(values) or [0.0, 1.0]
        return cls(tuple(ticks(min(known), max(known))), left, right)

    def __call__(self, value: float) -> float:
        low, high = self.marks[0], self.marks[-1]
        return self.left + (self.right - self.left) * (value - low) / (high - low)

    def told(self, mark: float) -> str:
        """A mark with as many decimals as the steps need."""
        decimals = max(0, -math.floor(math.log10(self.marks[1] - self.marks[0]) + 1e-9))
        return f"{0 if mark == 0 else mark:.{decimals}f}".replace("-", "−")


@dataclass
class Canvas:
    """Collects marks from top to bottom."""

    parts: list[str] = field(default_factory=list)
    y: float = 0.0

    def text(self, kind: str, x: float, y: float, content: str) -> None:
        """Writes one line of text."""
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>')

    def line(self, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """Draws one line."""
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def dot(self, kind: str, x: float, y: float, radius: float = 4) -> None:
        """Draws one dot."""
        self.parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>')

    def box(self, kind: str, x1: float, y1: float, x2: float, y2: float, opacity: float = 1.0) -> None:
        """Fills a rectangle."""
        shade = "" if opacity >= 1 else f' fill-opacity="{opacity:.2f}"'
        self.parts.append(f'<rect class="{kind}" x="{x1:.1f}" y="{y1:.1f}" width="{max(0.0, x2 - x1):.1f}" '
                          f'height="{y2 - y1:.1f}"{shade}/>')

    def grid(self, scale: Scale, top: float, bottom: float) -> None:
        """Upright lines at the marks, with their values below."""
        for mark in scale.marks:
            self.line("grid", scale(mark), top, scale(mark), bottom)
            self.text("tick", scale(mark), bottom + 14, scale.told(mark))

    def legend(self, names: Iterable[str], first: int = 0) -> None:
        """Names beside dots in the colours of series ``first`` and on, as many to a line as fit."""
        x = 8.0
        self.y += 6
        for place, name in enumerate(names, start=first):
            wide = 26 + 8.2 * len(name)
            if x > 8 and x + wide > WIDTH:
                x, self.y = 8.0, self.y + 18
            self.dot(f"s{place % 6}", x + 4, self.y + 8)
            self.text("name", x + 13, self.y + 12, name)
            x += wide
        self.y += 20

    def figure(self, label: str) -> Figure:
        """The finished figure."""
        return Figure(WIDTH, round(self.y + 4), "".join(self.parts), label)


def shortened(text: str, most: int) -> str:
    """Cuts a name that would run into the plot."""
    return text if len(text) <= most else text[:most - 1] + "…"
