"""data_preparation: RecBole's loaders, and batches of whole users for feature models."""
from __future__ import annotations

from collections import Counter
from typing import Any, Callable

import torch
from recbole.data.dataloader import FullSortEvalDataLoader, TrainDataLoader
from recbole.data.utils import data_preparation as recbole_preparation
from recbole.utils import init_seed

from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import create_dataset, data_preparation
from recbole_medmoe.data.loaders import UserBatchLoader

Maker = Callable[..., Any]


def test_an_epoch_holds_every_training_pair_once(food_data: Maker) -> None:
    _, train, _, _ = food_data("MedMoE", train_batch_size=20)
    pairs = Counter((user, item) for batch in train
                    for user, item in zip(batch["user_id"].tolist(), batch["item_id"].tolist()))
    part = train._dataset.inter_feat
    assert pairs == Counter(zip(part["user_id"].tolist(), part["item_id"].tolist()))


def test_a_user_is_never_cut_between_batches(food_data: Maker) -> None:
    _, train, _, _ = food_data("MedMoE", train_batch_size=20)
    assert isinstance(train, UserBatchLoader) and len(train) > 1
    users = [set(batch["user_id"].tolist()) for batch in train]
    assert sum(len(some) for some in users) == len(set().union(*users))


def test_batches_hold_about_as_many_pairs_as_asked(food_data: Maker) -> None:
    _, train, _, _ = food_data("MedMoE", train_batch_size=20)
    sizes = [len(batch) for batch in train]
    assert 10 <= sum(sizes) / len(sizes) <= 30


def test_other_models_get_recboles_loaders(food_data: Maker) -> None:
    _, train, valid, test = food_data("BowRidge")
    assert type(train) is TrainDataLoader
    assert type(valid) is type(test) is FullSortEvalDataLoader


def test_batches_of_a_recbole_model_equal_recboles_own() -> None:
    config = MedConfig("BPR", "ml-100k")
    batches = []
    for prepare in (data_preparation, recbole_preparation):
        init_seed(config["seed"], True)
        batches.append(next(iter(prepare(config, create_dataset(config))[0])))
    for field in ("user_id", "item_id", "neg_item_id"):
        assert torch.equal(batches[0][field], batches[1][field])
