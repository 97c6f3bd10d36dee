"""Training passes over some of the rows."""
from __future__ import annotations

from typing import Any, Callable

import torch


def test_a_pass_reads_as_many_rows_as_asked_drawn_anew(food_data: Callable[..., Any]) -> None:
    _, train, _, _ = food_data("FeatureSASRec", "warm", epoch_rows=20, train_batch_size=8,
                               extra_keys=["epoch_rows"])
    passes = [torch.cat([batch["user_id"] * 100 + batch["item_id"] for batch in train]) for _ in range(2)]
    assert [len(rows) for rows in passes] == [20, 20] and len(train) == 3
    assert all(len(rows.unique()) == 20 for rows in passes)
    assert set(passes[0].tolist()) != set(passes[1].tolist())


def test_more_rows_than_there_are_means_all(food_data: Callable[..., Any]) -> None:
    _, train, _, _ = food_data("FeatureSASRec", "warm", epoch_rows=10_000, extra_keys=["epoch_rows"])
    assert sum(len(batch) for batch in train) == len(train._dataset)
