"""Learning rate over the optimiser's steps: warm-up, then constant, linear or cosine."""
from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ..errors import ConfigError, nearest

SCHEDULES = ("constant", "linear", "cosine")


def learning_rate_factor(step: int, kind: str, warmup: int, total: int) -> float:
    """Share of the learning rate at a step.

    Args:
        step: optimiser steps made so far; the first step of a warm-up of n takes 1/n.
        kind: one of ``SCHEDULES``; linear and cosine reach 0 after ``total`` steps.
        warmup: steps of linear growth.
        total: steps of the whole training.
    """
    if step < warmup:
        return (step + 1) / warmup
    if kind == "constant":
        return 1.0
    gone = min((step - warmup) / max(total - warmup, 1), 1.0)
    return 1.0 - gone if kind == "linear" else 0.5 * (1.0 + math.cos(math.pi * gone))


def build_schedule(optimizer: Optimizer, kind: str, warmup: int, total: int) -> LambdaLR | None:
    """A schedule that is stepped after every optimiser step; None where the rate never changes.

    Raises:
        ConfigError: an unknown kind, or a warm-up that training does not outlast.
    """
    if kind not in SCHEDULES:
        raise ConfigError([f"lr_schedule: '{kind}' is no schedule{nearest(kind, SCHEDULES)}"])
    if kind == "constant" and not warmup:
        return None
    if warmup >= total:
        raise ConfigError([f"warmup_steps: {warmup} is not below the {total} optimiser steps of the whole training"])
    return LambdaLR(optimizer, lambda step: learning_rate_factor(step, kind, warmup, total))
