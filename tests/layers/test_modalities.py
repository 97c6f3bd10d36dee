"""Soft tokens of one modality, and the weights of several."""
from __future__ import annotations

import torch

from recbole_medmoe.layers import ModalityGate, SoftProjector, present_shares


def test_soft_tokens_have_the_length_that_is_asked_for() -> None:
    torch.manual_seed(0)
    for experts in (0, 3):
        tokens, gate = SoftProjector(6, 8, tokens=2, experts=experts, hidden=4, length=7.0)(torch.randn(5, 6))
        assert tokens.shape == (5, 2, 8) and gate.shape == (5, max(experts, 1))
        torch.testing.assert_close(tokens.norm(dim=-1), torch.full((5, 2), 7.0))
        torch.testing.assert_close(gate.sum(-1), torch.ones(5))


def test_what_is_missing_weighs_exactly_nothing_and_the_rest_sums_to_one() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    there = torch.tensor([[True, True, True], [True, False, True], [False, False, True]])
    weights = present_shares(logits, there)
    assert (weights[~there] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(3))
    torch.testing.assert_close(weights[1, [0, 2]], torch.tensor([1.0, 3.0]).softmax(-1))


def test_an_item_without_any_modality_has_no_weights_and_finite_gradients() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    weights = present_shares(logits, torch.tensor([[False] * 3, [True, False, True]]))
    weights.square().sum().backward()
    assert weights[0].tolist() == [0, 0, 0]
    assert logits.grad is not None and bool(torch.isfinite(logits.grad).all())


def test_a_gate_starts_with_even_weights() -> None:
    gate = ModalityGate(5, 2, 3, hidden=4)
    logits = gate(torch.randn(7, 5), torch.ones(7, 2, dtype=torch.bool)) + gate.user(torch.randn(7, 3))
    assert present_shares(logits, torch.ones(7, 2, dtype=torch.bool)).tolist() == [[0.5, 0.5]] * 7
