"""Rows of vectors from several sources."""
from __future__ import annotations

import torch

from recbole_medmoe.layers.weaving import Weaver


def test_rows_hold_the_vectors_that_were_named_and_carry_gradients() -> None:
    first, second = torch.randn(2, 3, requires_grad=True), torch.randn(1, 3)
    weaver = Weaver()
    a, b = weaver.add(first), weaver.add(second)
    states, mask = weaver.rows([[b, a + 1, a + 1], [a]])
    torch.testing.assert_close(states[0], torch.stack([second[0], first[1], first[1]]))
    torch.testing.assert_close(states[1, 0], first[0])
    assert mask.tolist() == [[True] * 3, [True, False, False]]
    states[mask].sum().backward()
    assert first.grad is not None and first.grad[:, 0].tolist() == [1.0, 2.0]
