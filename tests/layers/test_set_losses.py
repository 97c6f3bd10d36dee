"""Margin and interactions of medication sets, against loops over medications."""
from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from recbole_medmoe.layers.set_losses import interaction_loss, interaction_rate, multi_label_margin

SHARES = torch.tensor([[0.9, 0.2, 0.6, 0.4], [0.1, 0.8, 0.3, 0.7], [0.5, 0.5, 0.5, 0.5]])
TRUTH = torch.tensor([[1.0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0]])
DDI = torch.tensor([[0.0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0]])


def test_the_margin_is_the_sum_over_pairs_of_given_and_other() -> None:
    wanted = [sum(max(0.0, 1 - float(row[i] - row[j])) for i in range(4) for j in range(4)
                  if given[i] and not given[j]) / 4 for row, given in zip(SHARES, TRUTH)]
    assert multi_label_margin(SHARES, TRUTH).tolist() == pytest.approx(wanted, abs=1e-6)


def test_the_margin_is_that_of_torch() -> None:
    targets = torch.tensor([[0, 3, -1, -1], [1, 2, 3, -1]])
    wanted = F.multilabel_margin_loss(SHARES[:2], targets, reduction="none")
    assert torch.allclose(multi_label_margin(SHARES[:2], TRUTH[:2]), wanted, atol=1e-6)


def test_interactions_are_the_sum_over_listed_pairs() -> None:
    wanted = [sum(float(DDI[i, j] * row[i] * row[j]) for i in range(4) for j in range(4)) / 4 for row in SHARES]
    assert interaction_loss(SHARES, DDI).tolist() == pytest.approx(wanted, abs=1e-6)


def test_the_rate_is_the_share_of_a_sets_pairs() -> None:
    sets = torch.tensor([[1.0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    assert interaction_rate(sets, DDI).tolist() == pytest.approx([2 / 3, 0, 0, 0])
