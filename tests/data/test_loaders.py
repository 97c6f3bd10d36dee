"""data_preparation: RecBole's loaders, and batches of whole users for feature models."""
from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from recbole.data.dataloader import FullSortEvalDataLoader, TrainDataLoader
from recbole.data.utils import data_preparation as recbole_preparation
from recbole.utils import init_seed

from recbole_medmoe.checks.tiny_food import ITEMS
from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import create_dataset, data_preparation
from recbole_medmoe.data.loaders import UserBatchLoader
from recbole_medmoe.errors import DataError

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


def test_a_batch_has_every_column_of_its_rows(food_data: Maker) -> None:
    _, train, _, _ = food_data("MedMoE", train_batch_size=20)
    part, batch = train._dataset.inter_feat, train.collate_fn([2, 0])
    users = part["user_id"].unique()[[2, 0]].tolist()
    wanted = part[[row for user in users for row in range(len(part)) if part["user_id"][row] == user]]
    assert list(batch.interaction) == list(wanted.interaction)
    assert all(torch.equal(batch[name], wanted[name]) for name in wanted.interaction)


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


@pytest.fixture
def greedy_food(own_food: Path) -> Path:
    """``tinyfood`` with a test patient who has every item."""
    path = own_food / "tinyfood.cold_patient.test.inter"
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    user = lines[0].split("\t")[0]
    kept = [line for line in lines if line.split("\t")[0] != user]
    path.write_text("\n".join([header, *kept, *(f"{user}\t{item}" for item in ITEMS)]) + "\n", encoding="utf-8")
    return own_food


def test_a_user_who_has_every_item_is_ranked_where_nothing_is_drawn(greedy_food: Path) -> None:
    config = MedConfig("MedMoE", "tinyfood", overrides={"data_path": str(greedy_food.parent)})
    _, _, test = data_preparation(config, create_dataset(config))
    assert max(len(set(item[row == number].tolist())) for users, _, row, item in test
               for number in range(len(users))) == len(ITEMS)


def test_a_user_who_has_every_item_is_refused_where_negatives_are_drawn(greedy_food: Path) -> None:
    config = MedConfig("BPR", "tinyfood", overrides={"data_path": str(greedy_food.parent)})
    with pytest.raises(DataError, match="tinyfood: a user has every item, so that no negative item can be drawn"):
        data_preparation(config, create_dataset(config))


@pytest.mark.parametrize("model", ["MedMoE", "FM"])
def test_a_cut_off_above_the_catalogue_is_cut_to_it(model: str, food_data: Maker) -> None:
    config, *_ = food_data(model, topk=[5, 1000])
    assert config["topk"] == [5, len(ITEMS)]
