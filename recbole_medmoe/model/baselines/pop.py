"""Pop: the items with the most training rows, the same list for everyone."""
from __future__ import annotations

from typing import Any

import torch
from recbole.model.general_recommender.pop import Pop as RecBolePop
from recbole.utils import InputType

from ..base import ModelParams


class PopParams(ModelParams):
    """Nothing to set."""


class Pop(RecBolePop):
    """RecBole's ``Pop``, counting every training row once.

    RecBole 1.2.1 adds one per batch, however often an item is in it, and counts its sampled negatives too; with the
    usual 2048 rows per batch its list is then nearly one of item ids. ``LISTWISE`` asks for no negatives.
    """

    Params = PopParams
    checks_not_applicable = {"overfits_eight_rows": "one list for everyone"}
    input_type = InputType.LISTWISE

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        """Counts the items of a batch [N]; the loss says nothing."""
        items = interaction[self.ITEM_ID]
        self.item_cnt.index_add_(0, items, torch.ones_like(items)[:, None])  # [I, 1]
        self.max_cnt = self.item_cnt.max(dim=0)[0]
        return self.fake_loss.sum() * 0
