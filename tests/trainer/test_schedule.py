"""Learning-rate schedules."""
from __future__ import annotations

import pytest
import torch

from recbole_medmoe.errors import ConfigError
from recbole_medmoe.trainer.schedule import build_schedule, learning_rate_factor


@pytest.mark.parametrize("kind, expected", [
    ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
    ("linear", [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]),
    ("cosine", [0.5, 1.0, 1.0, 0.8535534, 0.5, 0.1464466]),
])
def test_warm_up_then_the_schedule(kind: str, expected: list[float]) -> None:
    assert [learning_rate_factor(step, kind, 2, 6) for step in range(6)] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_rate_stays_zero_after_the_last_step(kind: str) -> None:
    assert learning_rate_factor(9, kind, 0, 6) == 0.0


def test_a_constant_rate_has_no_schedule() -> None:
    assert build_schedule(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0), "constant", 0, 5) is None


def test_the_optimiser_follows_the_schedule() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=8.0)
    schedule = build_schedule(optimizer, "linear", 0, 4)
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [8.0, 6.0, 4.0, 2.0]


def test_an_unknown_schedule_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="lr_schedule: 'cosin' is no schedule; did you mean 'cosine'"):
        build_schedule(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0), "cosin", 0, 5)


def test_a_warm_up_longer_than_training_is_refused() -> None:
    with pytest.raises(ConfigError, match="warmup_steps: 5 is not below the 5 optimiser steps"):
        build_schedule(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0), "constant", 5, 5)
