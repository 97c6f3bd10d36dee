"""Questions as RecBole's users, and their own options."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.atomic import read_atomic, read_candidates
from recbole_medmoe.data.loaders import OptionSampler
from recbole_medmoe.errors import DataError

Data = Callable[..., Any]


def test_options_are_those_of_the_file_in_its_order(choice_data: Data, tiny_choice: Path) -> None:
    dataset = choice_data("OptionPosition")[1]._dataset
    found = {user: [dataset.item_tokens[item] for item in dataset.options.row(place)]
             for place, user in enumerate(dataset.user_tokens)}
    assert found.pop("[PAD]") == [] and found == read_candidates(tiny_choice)


def test_options_are_numbered_where_recbole_loads_rows_alone(choice_data: Data, tiny_choice: Path) -> None:
    dataset = choice_data("OptionPosition", load_col={"inter": ["user_id", "item_id"]})[1]._dataset
    assert set(dataset.item_tokens[1:]) == {item for own in read_candidates(tiny_choice).values() for item in own}


def test_items_of_training_are_the_right_and_the_wrong_options_of_training_questions(choice_data: Data) -> None:
    train = choice_data("OptionPosition")[1]._dataset
    asked = torch.unique(train.inter_feat["user_id"]).tolist()
    wanted = {item for question in asked for item in train.options.row(question)}
    assert set(train.train_items.nonzero().flatten().tolist()) == wanted


def test_groups_are_sources_and_tasks(choice_data: Data, tiny_choice: Path) -> None:
    dataset = choice_data("OptionPosition")[1]._dataset
    users = read_atomic(tiny_choice / "tinychoice.user")
    found = dataset.groups(users["user_id"].tolist(), "test")
    assert list(found) == ["source:abstract", "source:exam", "task:abstract", "task:exam.food"]
    assert (found["task:exam.food"] == (users["task"] == "exam.food").to_numpy()).all()


def test_statistics_tell_options_tasks_and_groups_of_the_test(choice_data: Data) -> None:
    told = choice_data("OptionPosition")[1]._dataset.statistics
    assert told["options"] == {"fewest": 3, "most": 4, "mean": 3.5} and told["tasks"] == 2
    assert told["groups"] == {"source:abstract": 2, "source:exam": 5, "task:abstract": 2, "task:exam.food": 5}


def test_a_question_with_two_right_options_is_refused(choice_data: Data, own_choices: Path) -> None:
    path = own_choices / "tinychoice.question.train.inter"
    user, item = path.read_text(encoding="utf-8").splitlines()[1].split("\t")
    other = next(one for one in read_candidates(own_choices)[user] if one != item)
    path.write_text(path.read_text(encoding="utf-8") + f"{user}\t{other}\n", encoding="utf-8")
    with pytest.raises(DataError, match="1 questions have a second right option"):
        choice_data("OptionPosition", own_choices)


def test_a_data_set_without_options_is_refused(choice_data: Data, own_choices: Path) -> None:
    (own_choices / "candidates.csv").unlink()
    with pytest.raises(DataError, match="task choice needs candidates.csv"):
        choice_data("OptionPosition", own_choices)


def test_negatives_are_wrong_options_of_the_same_question_each_as_likely(choice_data: Data) -> None:
    dataset = choice_data("DeepFM")[1]._dataset
    sampler = OptionSampler(dataset, dataset.options)
    users, items = dataset.inter_feat["user_id"][:2].repeat(3000), dataset.inter_feat["item_id"][:2].repeat(3000)
    drawn = sampler.sample_by_user_ids(users.numpy(), items.numpy(), 2)
    for user, item in zip(users[:2].tolist(), items[:2].tolist()):
        wrong = [option for option in dataset.options.row(user) if option != item]
        found, counts = torch.unique(drawn[users.repeat(2) == user], return_counts=True)
        assert sorted(wrong) == found.tolist()
        assert (counts.double() / counts.sum() - 1 / len(wrong)).abs().max() < 0.03


def test_training_batches_of_stock_models_hold_such_negatives(choice_data: Data) -> None:
    _, train, _, _ = choice_data("DeepFM")
    batch = next(iter(train))
    own = [set(train._dataset.options.row(user)) for user in batch["user_id"].tolist()]
    assert all(item in options for item, options in zip(batch["item_id"].tolist(), own))
    assert batch["label"].sum() * 2 == len(batch["label"])
