"""Lists of given items for sequential models on pre-split files."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.atomic import read_atomic
from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import create_dataset, data_preparation
from recbole_medmoe.errors import DataError

Maker = Callable[..., Any]
DAY = {"train": 10, "valid": 20, "test": 30}


def _rows(folder: Path, part: str) -> dict[str, list[str]]:
    rows = read_atomic(folder / f"tinyfood.warm.{part}.inter")
    return {user: list(some) for user, some in rows.groupby("user_id")["item_id"]}


def _listed(dataset: Any, batch: Any, row: int) -> list[str]:
    length = int(batch["item_length"][row])
    ids = batch["item_id_list"][row].tolist()
    assert set(ids[length:]) <= {0}
    return [dataset.item_tokens[item] for item in ids[:length]]


def test_a_scored_user_brings_the_given_items_and_is_asked_for_all_others(food_data: Maker, tiny_food: Path) -> None:
    _, train, valid, test = food_data("SASRec", "warm")
    dataset, given = train._dataset, {part: _rows(tiny_food, part) for part in ("train", "valid", "test")}
    for part, loader in (("valid", valid), ("test", test)):
        asked = {}
        for users, history, row, item in loader:
            for place in range(len(users)):
                token = dataset.user_tokens[int(users["user_id"][place])]
                asked[token] = {dataset.item_tokens[i] for i in item[row == place].tolist()}
                known = given["train"][token] + (given["valid"].get(token, []) if part == "test" else [])
                assert sorted(_listed(dataset, users, place)) == sorted(known)
                barred = {dataset.item_tokens[i] for i in history[1][history[0] == place].tolist()}
                assert barred >= set(known)
        assert asked == {user: set(items) for user, items in given[part].items()}


def test_a_training_row_is_read_with_half_of_its_users_other_items(food_data: Maker, tiny_food: Path) -> None:
    _, train, _, _ = food_data("SASRec", "warm")
    dataset, given, pairs = train._dataset, _rows(tiny_food, "train"), set()
    for batch in train:
        for row, (user, item) in enumerate(zip(batch["user_id"].tolist(), batch["item_id"].tolist())):
            token, target = dataset.user_tokens[user], dataset.item_tokens[item]
            listed = _listed(dataset, batch, row)
            assert target not in listed and set(listed) <= set(given[token])
            assert len(set(listed)) == len(listed) == max(1, len(given[token]) // 2)
            pairs.add((token, target))
    assert pairs == {(user, item) for user, items in given.items() if len(items) > 1 for item in items}


def test_training_lists_are_drawn_anew_and_repeat_with_the_seed(food_data: Maker) -> None:
    dataset = food_data("SASRec", "warm")[1]._dataset
    torch.manual_seed(3)
    first, second = (dataset[torch.arange(20)]["item_id_list"] for _ in range(2))
    torch.manual_seed(3)
    assert not torch.equal(first, second) and torch.equal(first, dataset[torch.arange(20)]["item_id_list"])


def test_orders_hold_the_same_items_and_depend_on_no_batch(food_data: Maker) -> None:
    test = food_data("SASRec", "warm", orders=3)[3]
    (users, *_), = list(test)
    views = list(test._dataset.arrangements(users))
    assert len(views) == 3
    assert all(torch.equal(view["item_id_list"].sort(1).values, views[0]["item_id_list"].sort(1).values)
               for view in views)
    assert any(not torch.equal(view["item_id_list"], views[0]["item_id_list"]) for view in views[1:])
    alone = list(test._dataset.arrangements(users[4:5]))
    assert all(torch.equal(one["item_id_list"][0], view["item_id_list"][4]) for one, view in zip(alone, views))


def test_long_lists_are_cut_to_their_end(food_data: Maker) -> None:
    long, short = (food_data("SASRec", "warm", MAX_ITEM_LIST_LENGTH=length)[3] for length in (50, 2))
    (full, *_), (cut, *_) = next(iter(long)), next(iter(short))
    assert cut["item_id_list"].shape[1] == 2 and int(cut["item_length"].max()) == 2
    for row, length in enumerate(full["item_length"].tolist()):
        assert cut["item_id_list"][row].tolist()[:length] == full["item_id_list"][row, :length][-2:].tolist()


def test_a_split_that_scores_users_without_given_items_is_refused(food_config: Maker) -> None:
    config = food_config("SASRec", "cold_patient")
    with pytest.raises(DataError, match="scores 4 valid users without a given item; SASRec reads given items alone"):
        data_preparation(config, create_dataset(config))


@pytest.fixture
def dated_food(own_food: Path) -> Path:
    """``tinyfood`` whose split ``warm`` has times: the rows of a part in the opposite order of the file."""
    for part, day in DAY.items():
        path = own_food / f"tinyfood.warm.{part}.inter"
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        dated = [f"{row}\t{1000 * day - number}" for number, row in enumerate(rows)]
        path.write_text("\n".join([f"{header}\ttimestamp:float", *dated]) + "\n", encoding="utf-8")
    return own_food


def test_lists_with_times_are_in_their_order(dated_food: Path) -> None:
    config = MedConfig("SASRec", "tinyfood", split="warm", overrides={
        "data_path": str(dated_food.parent), "load_col": {"inter": ["user_id", "item_id", "timestamp"]}})
    train, _, test = data_preparation(config, create_dataset(config))
    dataset, given = train._dataset, {part: _rows(dated_food, part) for part in ("train", "valid", "test")}
    seen = set()
    for batch in train:
        for row, (user, item) in enumerate(zip(batch["user_id"].tolist(), batch["item_id"].tolist())):
            told, target = given["train"][dataset.user_tokens[user]][::-1], dataset.item_tokens[item]
            assert _listed(dataset, batch, row) == told[:told.index(target)]
            seen.add((user, item))
    assert len(seen) == sum(len(items) - 1 for items in given["train"].values())
    (users, *_), = list(test)
    for row, user in enumerate(users["user_id"].tolist()):
        token = dataset.user_tokens[user]
        assert _listed(dataset, users, row) == given["train"][token][::-1] + given["valid"].get(token, [])[::-1]
    assert len(list(dataset.arrangements(users))) == 1
