"""The contrast of two views, against loops and torch's cross-entropy."""
from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from recbole_medmoe.layers.alignment import Alignment


def _made(own_counts: bool) -> Alignment:
    torch.manual_seed(0)
    return Alignment(6, own_counts)


def _cosines(module: Alignment, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return F.cosine_similarity(module.first(a)[:, None], module.second(b)[None], dim=-1)


def test_with_its_own_pair_it_is_cross_entropy_both_ways() -> None:
    module, a, b = _made(True), torch.randn(5, 6), torch.randn(5, 6)
    cosines, own = _cosines(module, a, b), torch.arange(5)
    wanted = F.cross_entropy(cosines, own) + F.cross_entropy(cosines.T, own)
    assert torch.allclose(module(a, b), wanted, atol=1e-6) and wanted > 0


def test_without_its_own_pair_it_is_the_released_sum() -> None:
    module, a, b = _made(False), torch.randn(5, 6), torch.randn(5, 6)
    cosines = _cosines(module, a, b).tolist()
    total = 0.0
    for row in range(5):
        for values in (cosines[row], [line[row] for line in cosines]):
            others = sum(math.exp(value) for place, value in enumerate(values) if place != row)
            total -= math.log(math.exp(cosines[row][row]) / others)
    assert math.isclose(module(a, b).item(), total / 5, abs_tol=1e-5)


def test_only_the_released_sum_falls_below_zero() -> None:
    views = torch.tensor([[1.0], [-1.0]]).expand(2, 6)
    lost = []
    for own_counts in (True, False):
        module = _made(own_counts)
        module.second.load_state_dict(module.first.state_dict())
        module.first.bias.data.zero_(), module.second.bias.data.zero_()
        lost.append(module(views, views).item())
    assert lost[0] > 0 > lost[1]


def test_a_batch_of_one_costs_nothing_and_stays_finite() -> None:
    for own_counts in (True, False):
        module, a = _made(own_counts), torch.randn(1, 6, requires_grad=True)
        loss = module(a, torch.randn(1, 6))
        loss.backward()
        assert abs(loss.item()) < 1e-6 and torch.isfinite(a.grad).all()
