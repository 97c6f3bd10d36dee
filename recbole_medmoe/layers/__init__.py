"""Pure torch modules: no RecBole, no transformers, no peft."""
from __future__ import annotations

from .dropout import Dropout
from .experts import MixtureOfExperts
from .frozen import leave_out_frozen
from .inputs import ModalityInput
from .modalities import ModalityGate, SoftProjector, present_shares
from .ridge import RidgeFit, ridge_leave_one_out
from .towers import Match, Tower

__all__ = ["Dropout", "Match", "MixtureOfExperts", "ModalityGate", "ModalityInput", "RidgeFit", "SoftProjector",
           "Tower", "leave_out_frozen", "present_shares", "ridge_leave_one_out"]
