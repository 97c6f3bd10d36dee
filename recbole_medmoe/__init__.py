"""Recommenders built from large language models and mixtures of experts for health, inside RecBole."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .version import __version__

__all__ = ["__version__", "compare", "load", "run"]

if TYPE_CHECKING:
    from .quick_start import compare, load, run


def __getattr__(name: str) -> Any:
    """Public functions load on first use, so that ``import recbole_medmoe`` stays light."""
    if name in __all__:
        from . import quick_start

        return getattr(quick_start, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
