"""MoLoRA with weights from outside."""
from __future__ import annotations

import pytest
import torch

from recbole_medmoe.layers import MoLoRA, MoLoraSpec, given_gates

SPEC = MoLoraSpec(num_experts=3, top_k=3, r=2, alpha=4.0, route="given")


def _layer() -> MoLoRA:
    torch.manual_seed(0)
    layer = MoLoRA(5, 4, SPEC)
    torch.nn.init.normal_(layer.B)
    return layer


def test_experts_are_added_with_the_given_weights() -> None:
    layer, x, weights = _layer(), torch.randn(2, 6, 5), torch.tensor([0.2, 0.0, 0.8])
    with given_gates(weights):
        found = layer(x, torch.zeros(2, 6, 4))
    each = [x @ layer.A[2 * e:2 * e + 2].T @ layer.B[:, 2 * e:2 * e + 2].T for e in range(3)]
    assert torch.allclose(found, 2.0 * (0.2 * each[0] + 0.8 * each[2]), atol=1e-6)


def test_there_is_no_router_and_the_weights_get_a_gradient() -> None:
    layer, weights = _layer(), torch.full((3,), 1 / 3, requires_grad=True)
    with given_gates(weights):
        layer(torch.randn(2, 5), torch.zeros(2, 4)).square().sum().backward()
    assert layer.router_weight is None and weights.grad is not None and bool(weights.grad.abs().min() > 0)


def test_the_innermost_weights_count() -> None:
    layer, x = _layer(), torch.randn(1, 5)
    with given_gates(torch.ones(3)), given_gates(torch.zeros(3)):
        assert torch.equal(layer(x, torch.zeros(1, 4)), torch.zeros(1, 4))


def test_a_layer_outside_of_them_is_told() -> None:
    with pytest.raises(ValueError, match="must hold 3 weights, there are none"):
        _layer()(torch.randn(1, 5), torch.zeros(1, 4))


def test_another_number_of_weights_is_told() -> None:
    with given_gates(torch.ones(2)), pytest.raises(ValueError, match=r"3 weights, they have the shape \(2,\)"):
        _layer()(torch.randn(1, 5), torch.zeros(1, 4))
