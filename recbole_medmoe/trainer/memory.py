"""Weights kept in memory, and memory that runs out."""
from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import TrainingError

# What torch's CPU allocators say; they raise a bare RuntimeError.
_CPU_MESSAGES = ("can't allocate memory", "not enough memory", "std::bad_alloc", "cannot allocate memory")


@dataclass(frozen=True)
class Snapshot:
    """A copy on the CPU of all that RecBole would put into a checkpoint of a model.

    Attributes:
        epoch: counted from 0.
        state: the model's ``state_dict``.
        other: its ``other_parameter()``, e.g. ItemKNN's similarity matrix.
    """

    epoch: int
    state: dict[str, Any]
    other: dict[str, Any]

    @classmethod
    def take(cls, model: Any, epoch: int) -> Snapshot:
        """Copies a model's weights; nothing of the copy is shared with the model."""
        state = {name: value.detach().to("cpu", copy=True) if isinstance(value, torch.Tensor) else copy.deepcopy(value)
                 for name, value in model.state_dict().items()}
        return cls(epoch, state, copy.deepcopy(model.other_parameter()))

    def restore(self, model: Any) -> None:
        """Puts the weights back, on whatever device the model is."""
        model.load_state_dict(self.state)
        model.load_other_parameter(self.other)


@contextmanager
def memory_guard(doing: str, setting: str, value: Any) -> Iterator[None]:
    """Turns the exhaustion of CPU or CUDA memory into one message.

    Args:
        doing: what was going on, e.g. ``training``.
        setting: the key to lower.
        value: its present value.

    Raises:
        TrainingError: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        message = str(error).lower()
        exhausted = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not exhausted and not any(known in message for known in _CPU_MESSAGES):
            raise
        raise TrainingError(f"memory ran out while {doing}: lower {setting} (now {value})") from error
