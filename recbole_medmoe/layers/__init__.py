"""Pure torch modules: no RecBole, no transformers, no peft."""
from __future__ import annotations

from .dropout import Dropout
from .experts import MixtureOfExperts
from .frozen import leave_out_frozen
from .inputs import ModalityInput
from .modalities import ModalityGate, SoftProjector, present_shares
from .molora import MoLoRA, MoLoraSpec
from .ridge import RidgeFit, ridge_leave_one_out
from .routers import RouterCounts, Routing, collect_routing, given_gates
from .towers import Match, Tower

__all__ = ["Dropout", "Match", "MixtureOfExperts", "MoLoRA", "MoLoraSpec", "ModalityGate", "ModalityInput", "RidgeFit",
           "RouterCounts", "Routing", "SoftProjector", "Tower", "collect_routing", "given_gates", "leave_out_frozen",
           "present_shares", "ridge_leave_one_out"]
