"""``task: next_item`` on RecBole's own data: models of every kind are scored on the same rows."""
from __future__ import annotations

from typing import Any

import torch

from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import create_dataset, data_preparation

FEW = {"user_inter_num_interval": "[400,inf)", "MAX_ITEM_LIST_LENGTH": 8}


def _loaders(model: str, **overrides: Any) -> Any:
    keys = {key: value for key, value in FEW.items() if model == "SASRec" or key != "MAX_ITEM_LIST_LENGTH"}
    config = MedConfig(model, "ml-100k", overrides={**keys, "task": "next_item", **overrides})
    return data_preparation(config, create_dataset(config))


def _asked(loader: Any) -> dict[int, tuple[list[int], set[int]]]:
    """User to the items that are asked and to those that are never listed."""
    found = {}
    for users, (place, barred), row, item in loader:
        for number, user in enumerate(users["user_id"].tolist()):
            found[user] = (item[row == number].tolist(), set(barred[place == number].tolist()))
    return found


def test_sequential_and_other_models_rank_the_same_items_for_the_same_users() -> None:
    ordered, other = _loaders("SASRec"), _loaders("Pop")
    assert ordered[2]._dataset.user_tokens == other[2]._dataset.user_tokens
    assert ordered[2]._dataset.item_tokens == other[2]._dataset.item_tokens
    for phase in (1, 2):
        found = _asked(ordered[phase])
        assert found == _asked(other[phase]) and len(found) > 5
        assert all(len(asked) == 1 and len(barred) > 300 for asked, barred in found.values())


def test_the_list_of_a_scored_user_ends_with_the_items_just_before() -> None:
    _, valid, test = _loaders("SASRec")
    last = {user: asked for user, (asked, _) in _asked(valid).items()}
    for users, *_ in test:
        for user, items, length in zip(users["user_id"].tolist(), users["item_id_list"], users["item_length"].tolist()):
            assert length == 8 and items[7].item() == last[user][0]


def test_without_the_key_recboles_sequential_models_rank_everything() -> None:
    batch, history, row, item = next(iter(_loaders("SASRec", leave_out_seen=False)[2]))
    assert history is None and torch.equal(row, torch.arange(len(batch)))
