"""Recommenders built from large language models and mixtures of experts for health, inside RecBole."""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .checks.checking import check_recommender
    from .quick_start import compare, load, run

_HOME = {"check_recommender": "checks.checking", "compare": "quick_start", "load": "quick_start", "run": "quick_start"}
__all__ = ["__version__", "check_recommender", "compare", "load", "run"]


def __getattr__(name: str) -> Any:
    """Public functions load on first use, so that ``import recbole_medmoe`` stays light."""
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
