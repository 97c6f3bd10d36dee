"""Training loop over RecBole's trainers."""
from __future__ import annotations

from .build import build_trainer, compose
from .memory import Snapshot
from .mixin import MedTrainerMixin

__all__ = ["MedTrainerMixin", "Snapshot", "build_trainer", "compose"]
