"""Snapshots of weights, and exhausted memory."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from recbole_medmoe.errors import TrainingError
from recbole_medmoe.trainer.memory import Snapshot, memory_guard


class Counter(torch.nn.Module):
    """A model with a weight, and a table outside its state as ItemKNN has."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.table = np.ones(3)

    def other_parameter(self) -> dict[str, np.ndarray]:
        return {"table": self.table}

    def load_other_parameter(self, given: dict[str, np.ndarray]) -> None:
        self.table = given["table"]


def test_a_snapshot_restores_weights_and_other_parameters() -> None:
    model = Counter()
    kept = Snapshot.take(model, 3)
    with torch.no_grad():
        model.weight.zero_()
    model.table[:] = 0
    kept.restore(model)
    assert kept.epoch == 3
    assert model.weight.tolist() == [1, 1] and model.table.tolist() == [1, 1, 1]


@pytest.mark.parametrize("error", [
    MemoryError("Unable to allocate 7.28 TiB"), torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes")])
def test_exhausted_memory_names_the_setting_to_lower(error: Exception) -> None:
    with pytest.raises(TrainingError, match=r"memory ran out while training: lower train_batch_size \(now 2048\)"):
        with memory_guard("training", "train_batch_size", 2048):
            raise error


def test_a_true_allocation_that_is_too_large_is_caught() -> None:
    with pytest.raises(TrainingError, match="lower eval_batch_size"):
        with memory_guard("scoring", "eval_batch_size", 1):
            torch.empty(2**60)


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        with memory_guard("training", "train_batch_size", 2048):
            torch.ones(2, 3) @ torch.ones(2, 3)
