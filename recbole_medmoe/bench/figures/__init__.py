"""Figures of suites and searches as SVG text: on the page they take its colours, as files they bring their own."""
from __future__ import annotations

from .bars import shares
from .curve import curve
from .fall import fall
from .forest import Block, Line, forest
from .frame import Figure
from .heat import Panel, heat
from .plane import Series, Spot, against_cost, lines
from .strip import strip
from .trials import search_figure

__all__ = ["Block", "Figure", "Line", "Panel", "Series", "Spot", "against_cost", "curve", "fall", "forest", "heat",
           "lines", "search_figure", "shares", "strip"]
