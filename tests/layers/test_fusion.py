"""Several modalities of one item as soft tokens."""
from __future__ import annotations

from typing import Any

import pytest
import torch

from recbole_medmoe.layers.fusion import ModalityFusion

THERE = torch.tensor([[True, True], [True, False], [False, True], [False, False]])


def made(kind: Any) -> tuple[ModalityFusion, list[torch.Tensor]]:
    torch.manual_seed(0)
    fusion = ModalityFusion({"image": 3, "collaborative": 2}, 6, kind=kind, user_width=5, gate_hidden=4, tokens=2,
                            experts=2, hidden=3, dropout=0.0, length=1.0)
    for weight in fusion.parameters():
        torch.nn.init.normal_(weight)
    rows = [torch.randn(4, width) * THERE[:, [place]] for place, width in enumerate((3, 2))]
    return fusion, rows


@pytest.mark.parametrize("kind", ["adaptive", "equal"])
def test_soft_tokens_are_the_weighted_sum_of_what_is_there(kind: str) -> None:
    fusion, rows = made(kind)
    items, users = torch.tensor([[0, 1], [2, 3]]), torch.randn(2, 2, 5)
    seen = fusion(rows, THERE)
    weights = fusion.weights(seen, items, users)  # [B, L, M]
    soft, _ = fusion.soft(seen, items, weights)
    for b in range(2):
        for place in range(2):
            item = int(items[b, place])
            if kind == "adaptive":
                assert fusion.gate is not None
                logits = fusion.gate(torch.cat(rows, -1), THERE)[item] + fusion.gate.user(users[b, place])
            else:
                logits = torch.zeros(2)
            shares = logits.exp() * THERE[item]
            shares = shares / shares.sum() if THERE[item].any() else shares
            torch.testing.assert_close(weights[b, place], shares)
            wanted = sum(share * project(row)[0][item] for share, project, row in
                         zip(shares, fusion.project.values(), rows))
            torch.testing.assert_close(soft[b, place], wanted)


def test_concat_reads_all_modalities_side_by_side_and_which_are_there() -> None:
    fusion, rows = made("concat")
    seen = fusion(rows, THERE)
    assert fusion.heard == {"all": 7} and len(seen.heard) == 1
    torch.testing.assert_close(seen.heard[0], torch.cat([*rows, THERE.float()], dim=-1))
    items = torch.arange(4).unsqueeze(0)
    assert fusion.weights(seen, items, torch.zeros(1, 4, 5)).flatten().tolist() == [1, 1, 1, 0]


def test_one_modality_needs_no_gate() -> None:
    fusion = ModalityFusion({"image": 3}, 6, kind="adaptive", user_width=3, gate_hidden=4, tokens=1, experts=0,
                            hidden=0, dropout=0.0, length=1.0)
    assert fusion.gate is None


def test_shares_of_the_experts_sum_to_one_where_anything_is_there() -> None:
    fusion, rows = made("adaptive")
    items, seen = torch.arange(4).unsqueeze(0), fusion(rows, THERE)
    _, shares = fusion.soft(seen, items, fusion.weights(seen, items, torch.zeros(1, 4, 5)))
    assert shares.shape == (1, 4, 4)
    torch.testing.assert_close(shares.sum(-1), torch.tensor([[1.0, 1.0, 1.0, 0.0]]))
