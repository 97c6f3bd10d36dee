"""MixtureOfExperts against a loop over experts and rows."""
from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from recbole_medmoe.layers import MixtureOfExperts


def _loop(mixture: MixtureOfExperts, x: torch.Tensor) -> torch.Tensor:
    rows = []
    for row in x:
        gate = F.softmax(mixture.gate(row), dim=-1)
        kept = list(range(len(gate))) if mixture.top_k is None else gate.topk(mixture.top_k).indices.tolist()
        total = torch.stack([gate[expert] for expert in kept]).sum()
        output = torch.zeros(mixture.outer.shape[-1])
        for expert in kept:
            hidden = F.gelu(row @ mixture.inner[expert] + mixture.inner_bias[expert, 0])
            output = output + gate[expert] / total * (hidden @ mixture.outer[expert] + mixture.outer_bias[expert, 0])
        rows.append(output)
    return torch.stack(rows)


@pytest.mark.parametrize("top_k", [None, 1, 2, 3])
def test_equals_a_loop_over_rows_and_experts(top_k: int | None) -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(5, 4, hidden=6, experts=3, top_k=top_k).eval()
    x = torch.randn(7, 5)
    assert torch.allclose(mixture(x)[0], _loop(mixture, x), atol=1e-6)


@pytest.mark.parametrize("top_k", [None, 2])
def test_gate_weights_sum_to_one_over_at_most_k_experts(top_k: int | None) -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(5, 4, hidden=6, experts=4, top_k=top_k)
    weights = mixture(torch.randn(6, 5))[1]
    assert torch.allclose(weights.sum(-1), torch.ones(6))
    assert ((weights > 0).sum(-1) == (top_k or 4)).all()


def test_every_chosen_expert_gets_a_gradient() -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(5, 4, hidden=6, experts=3)
    mixture(torch.randn(6, 5))[0].square().sum().backward()
    assert mixture.inner.grad is not None and (mixture.inner.grad.flatten(1).norm(dim=-1) > 0).all()
    assert mixture.gate.weight.grad is not None and bool(mixture.gate.weight.grad.abs().sum() > 0)


def test_dropout_acts_in_training_only() -> None:
    mixture = MixtureOfExperts(5, 4, hidden=6, experts=3, dropout=0.5)
    x = torch.randn(6, 5)
    assert not torch.equal(mixture(x)[0], mixture(x)[0])
    mixture.eval()
    assert torch.equal(mixture(x)[0], mixture(x)[0])


@pytest.mark.parametrize("top_k", [0, 4])
def test_top_k_outside_the_experts_is_refused(top_k: int) -> None:
    with pytest.raises(ValueError, match="of 3 experts"):
        MixtureOfExperts(5, 4, hidden=6, experts=3, top_k=top_k)
