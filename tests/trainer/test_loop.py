"""The training loop: accumulation, precision, clipping, schedule."""
from __future__ import annotations

from typing import Any

import pytest
import torch

from recbole_medmoe.trainer.loop import build_accelerator


def epoch_steps(built: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Optimiser steps of one epoch."""
    steps: list[int] = []
    original = built.trainer.optimizer.step
    monkeypatch.setattr(built.trainer.optimizer, "step", lambda *args: (steps.append(1), original(*args))[1])
    built.trainer.schedule = None
    built.trainer._train_epoch(built.train, 0)
    return len(steps)


@pytest.mark.parametrize("accumulation, steps", [(1, 4), (2, 2), (3, 2), (9, 1)])
def test_accumulation_steps_at_the_end_of_each_group_and_epoch(accumulation: int, steps: int, build: Any,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    built = build("BPR", gradient_accumulation_steps=accumulation)
    assert len(built.train) == 4
    assert epoch_steps(built, monkeypatch) == steps


class FixedBatches(list):
    """A loader of batches that are already made."""


def weights_after(built: Any, batches: list[Any]) -> torch.Tensor:
    built.trainer.schedule = None
    built.trainer._train_epoch(FixedBatches(batches), 0)
    return built.model.item_embedding.weight.detach()


def test_two_accumulated_halves_equal_one_whole_batch(build: Any) -> None:
    whole = build("BPR", learner="sgd", learning_rate=1.0)
    batch = next(iter(whole.train))
    halves = build("BPR", learner="sgd", learning_rate=1.0, gradient_accumulation_steps=2)
    found = weights_after(halves, [batch[:32], batch[32:64]])
    torch.testing.assert_close(found, weights_after(whole, [batch]), rtol=0, atol=1e-6)


def test_bf16_computes_the_loss_under_autocast(build: Any) -> None:
    built = build("BPR", precision="bf16", epochs=1)
    seen = []
    original = built.model.calculate_loss

    def calculate_loss(interaction: Any) -> torch.Tensor:
        seen.append((torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        return original(interaction)

    built.model.calculate_loss = calculate_loss
    built.trainer.fit(built.train, built.valid)
    assert set(seen) == {(True, torch.bfloat16)}


def test_precision_may_change_between_models_of_one_process() -> None:
    for precision in ("no", "bf16", "no"):
        assert build_accelerator(torch.device("cpu"), precision).mixed_precision == precision


def test_gradients_are_clipped(build: Any) -> None:
    free, bound = (build("BPR", learner="sgd", learning_rate=1.0, clip_grad_norm=clip)
                   for clip in (None, {"max_norm": 1e-3}))
    start = bound.model.item_embedding.weight.detach().clone()
    batch = next(iter(free.train))
    assert (weights_after(bound, [batch]) - start).norm() <= 1e-3 < (weights_after(free, [batch]) - start).norm()


def test_the_learning_rate_of_each_epoch_is_in_the_history(build: Any) -> None:
    built = build("BPR", learning_rate=0.4, lr_schedule="linear", epochs=4)
    built.trainer.fit(built.train, built.valid)
    assert [epoch["learning_rate"] for epoch in built.trainer.history] == pytest.approx([0.4, 0.3, 0.2, 0.1])
