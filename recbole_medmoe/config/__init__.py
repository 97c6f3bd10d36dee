"""MedConfig: RecBole's Config with an explicit argument list, an origin for each value, and all faults at once."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["MedConfig"]

if TYPE_CHECKING:
    from .med_config import MedConfig


def __getattr__(name: str) -> Any:
    """Checks RecBole before it is imported, so that a missing or other release is told by name."""
    if name == "MedConfig":
        from .. import compat

        compat.apply()
        from .med_config import MedConfig

        return MedConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
