"""Dropout: nn.Dropout's meaning from fewer random bits."""
from __future__ import annotations

import pytest
import torch

from recbole_medmoe.layers import Dropout


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9])
def test_as_many_numbers_are_dropped_as_asked(share: float) -> None:
    torch.manual_seed(0)
    count = 400_000
    dropped = float((Dropout(share)(torch.ones(400, 1000)) == 0).sum()) / count
    assert abs(dropped - share) < 5 * (share * (1 - share) / count) ** 0.5


def test_what_is_kept_is_divided_by_the_share_that_is_kept() -> None:
    seen = Dropout(0.2)(torch.full((50, 40), 3.0))
    assert torch.allclose(seen[seen != 0], torch.tensor(3 / 0.8), rtol=1e-4)


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(100_000)) != 0).float() - 0.5
    for distance in range(1, 9):  # four draws come out of one random number
        assert abs(float((kept[distance:] * kept[:-distance]).mean())) < 0.005


def test_dropped_numbers_get_no_gradient() -> None:
    x = torch.randn(30, 7, requires_grad=True)
    seen = Dropout(0.4)(x)
    seen.sum().backward()
    assert x.grad is not None and torch.equal(x.grad == 0, seen == 0)


@pytest.mark.parametrize("shape", [(0, 5), (1,), (3, 5), (2, 3, 7)])
def test_any_shape_is_kept(shape: tuple[int, ...]) -> None:
    assert Dropout(0.3)(torch.ones(shape)).shape == shape


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_gain_is_the_mean_of_the_output_in_training_and_after(share: float) -> None:
    torch.manual_seed(0)
    drop, x = Dropout(share, gain=4.0), torch.ones(200_000)
    assert abs(float(drop(x).mean()) - 4) < 0.05
    assert torch.equal(drop.eval()(x), 4 * x)


def test_the_same_seed_drops_the_same_numbers() -> None:
    seen = []
    for _ in range(2):
        torch.manual_seed(3)
        seen.append(Dropout(0.5)(torch.ones(101)))
    assert torch.equal(*seen)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError):
        Dropout(share)
