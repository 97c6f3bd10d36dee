"""Pop."""
from __future__ import annotations

from typing import Any, Callable

import torch


def test_every_training_row_counts_once(built: Callable[..., Any]) -> None:
    model, train, _, _ = built("Pop", "warm", train_batch_size=7)
    for batch in train:
        model.calculate_loss(batch)
    wanted = torch.bincount(train._dataset.inter_feat["item_id"], minlength=13)
    assert model.item_cnt.squeeze(-1).tolist() == wanted.tolist()
