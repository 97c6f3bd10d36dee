"""Tower and Match."""
from __future__ import annotations

import math

import torch

from recbole_medmoe.layers import Match, Tower


def test_a_tower_without_hidden_layer_is_linear() -> None:
    tower = Tower(5, 3, dropout=0.5).eval()
    x, y = torch.randn(4, 5), torch.randn(4, 5)
    assert torch.allclose(tower(x + y) - tower(y), tower(x) - tower(torch.zeros(4, 5)), atol=1e-5)


def test_a_tower_with_hidden_layer_is_not() -> None:
    torch.manual_seed(0)
    tower = Tower(5, 3, hidden=8).eval()
    x = torch.randn(4, 5)
    assert not torch.allclose(tower(2 * x) - tower(x), tower(x) - tower(0 * x), atol=1e-3)


def test_the_gain_multiplies_the_inputs() -> None:
    torch.manual_seed(0)
    plain = Tower(5, 3).eval()
    torch.manual_seed(0)
    loud, x = Tower(5, 3, gain=4.0).eval(), torch.randn(4, 5)
    assert torch.allclose(loud(x), plain(4 * x))


def test_match_scores_each_user_against_each_item() -> None:
    match, users, items = Match(4), torch.randn(2, 4), torch.randn(3, 4)
    scores = match(users, items)
    for user in range(2):
        for item in range(3):
            wanted = users[user] @ items[item] / math.sqrt(4) + match.popularity.weight[0] @ items[item]
            assert torch.allclose(scores[user, item], wanted, atol=1e-6)
