"""Pure torch modules: no RecBole, no transformers, no peft."""
from __future__ import annotations

from .experts import MixtureOfExperts
from .inputs import ModalityInput
from .ridge import RidgeFit, ridge_leave_one_out
from .towers import Match, Tower

__all__ = ["Match", "MixtureOfExperts", "ModalityInput", "RidgeFit", "Tower", "ridge_leave_one_out"]
