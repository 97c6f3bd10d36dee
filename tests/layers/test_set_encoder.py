"""Sets by self-attention, against loops over sets, heads and elements."""
from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from recbole_medmoe.layers.set_encoder import SetBlock, SetEncoder, set_mean

SIZES = [3, 0, 1, 11, 8, 20]


def _block(dropout: float = 0.0) -> SetBlock:
    torch.manual_seed(0)
    return SetBlock(8, 2, 12, dropout, dropout)


def _naive(block: SetBlock, x: torch.Tensor) -> torch.Tensor:
    """The block's equations for one set [L, 8]."""
    normed = F.layer_norm(x, (8,), block.attention_norm.weight, block.attention_norm.bias)
    query, key, value = (normed @ block.asked.weight.T).chunk(3, dim=-1)
    heads = []
    for head in range(2):
        place = slice(4 * head, 4 * head + 4)
        rows = []
        for one in query[:, place]:
            weights = torch.softmax(torch.stack([one @ other for other in key[:, place]]) / math.sqrt(4), dim=0)
            rows.append(sum(weight * vector for weight, vector in zip(weights, value[:, place])))
        heads.append(torch.stack(rows))
    y = x + block.gathered(torch.cat(heads, dim=-1))
    inner = F.gelu(block.widen(block.inner_norm(y)), approximate="tanh")
    return y + block.narrow(inner)


def test_block_is_that_of_its_equations_for_sets_of_all_sizes() -> None:
    block, x = _block(), torch.randn(sum(SIZES), 8)
    found = block(x, torch.tensor(SIZES)).split(SIZES)
    for size, part, own in zip(SIZES, found, x.split(SIZES)):
        assert not size or torch.allclose(part, _naive(block, own), atol=1e-5)


def test_a_set_does_not_follow_the_others() -> None:
    block, x = _block(), torch.randn(sum(SIZES), 8)
    before = block(x, torch.tensor(SIZES))[:3]
    x[3:] = 5.0
    assert torch.allclose(block(x, torch.tensor(SIZES))[:3], before, atol=1e-6)


def test_no_sets_give_nothing() -> None:
    assert _block()(torch.zeros(0, 8), torch.zeros(4, dtype=torch.int64)).shape == (0, 8)
    assert _block()(torch.zeros(0, 8), torch.zeros(0, dtype=torch.int64)).shape == (0, 8)


def test_mean_is_that_of_each_set() -> None:
    x = torch.randn(sum(SIZES), 8)
    wanted = torch.stack([part.mean(0) if len(part) else torch.zeros(8) for part in x.split(SIZES)])
    assert torch.allclose(set_mean(x, torch.tensor(SIZES)), wanted, atol=1e-6)


@pytest.fixture
def encoder() -> SetEncoder:
    torch.manual_seed(0)
    return SetEncoder(30, 8, 2, 12, 0.4, 0.1).eval()


def test_an_encoder_knows_neither_order_nor_padding(encoder: SetEncoder) -> None:
    whole = encoder(torch.tensor([[4, 9, 2, 0], [7, 0, 0, 0]]))
    assert torch.allclose(whole, encoder(torch.tensor([[2, 4, 9, 0, 0, 0], [7, 0, 0, 0, 0, 0]])), atol=1e-6)
    assert torch.allclose(whole, encoder(torch.tensor([[0, 2, 0, 4, 9], [0, 0, 0, 0, 7]])), atol=1e-6)


def test_an_encoder_reads_a_set_as_a_whole(encoder: SetEncoder) -> None:
    both, first, second = encoder(torch.tensor([[4, 9], [4, 0], [9, 0]]))
    assert not torch.allclose(both, (first + second) / 2, atol=1e-3)


def test_an_empty_set_is_zero_and_spoils_no_gradient(encoder: SetEncoder) -> None:
    found = encoder.train()(torch.tensor([[0, 0], [4, 9]]))
    assert not found[0].any() and found[1].any()
    found.square().sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in encoder.parameters() if weight.grad is not None)
    assert not encoder.embedding.weight.grad[0].any()
