"""MedDataset: folders, splits, what training sees, candidates and groups."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from recbole.data.dataset import Dataset, SequentialDataset

from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import FeatureRequest, MedDataset, create_dataset, data_preparation
from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.errors import DataError

Maker = Callable[..., Any]
TEXT = FeatureRequest("text", "user", "text", EncoderSpec("text", "minilm-l6", "mean"))


def test_parts_are_the_rows_of_the_files(food_data: Maker) -> None:
    _, train, valid, test = food_data("MedMoE", "cold_patient")
    dataset = train._dataset
    for phase, part in (("train", train._dataset), ("valid", valid._dataset), ("test", test._dataset)):
        lines = (dataset.folder / f"tinyfood.cold_patient.{phase}.inter").read_text().split("\n")[1:-1]
        rows = zip(part.inter_feat["user_id"].tolist(), part.inter_feat["item_id"].tolist())
        named = sorted(f"{dataset.user_tokens[user]}\t{dataset.item_tokens[item]}" for user, item in rows)
        assert named == sorted(lines)
    assert dataset.statistics["rows"] == {"train": len(train._dataset), "valid": len(valid._dataset),
                                          "test": len(test._dataset)}


def test_training_sees_its_own_users_and_items_only(food_data: Maker) -> None:
    _, train, _, test = food_data("MedMoE", "cold_patient")
    dataset = train._dataset
    assert int(dataset.train_users.sum()) == 20
    assert not dataset.train_users[test._dataset.inter_feat["user_id"]].any()
    assert test._dataset.train_users.equal(dataset.train_users)


def test_cold_items_are_candidates_and_kept_from_training(food_data: Maker) -> None:
    _, train, _, _ = food_data("MedMoE", "cold_item0")
    dataset = train._dataset
    named = [{dataset.item_tokens[item] for item in mask.nonzero().squeeze(-1).tolist()}
             for mask in (dataset.candidates("valid"), dataset.candidates("test"), ~dataset.known_items)]
    assert named == [{"fig", "kiwi"}, {"cabbage", "lemon"}, {"[PAD]", "fig", "kiwi", "cabbage", "lemon"}]


def test_without_candidates_the_whole_catalogue_is_ranked_and_known(food_data: Maker) -> None:
    _, train, _, _ = food_data("MedMoE", "cold_patient")
    assert train._dataset.candidates("test") is None
    assert train._dataset.known_items.tolist() == [False] + [True] * 12


def test_an_item_that_nobody_chose_stays_known(own_food: Path) -> None:
    path = own_food / "tinyfood.cold_patient.train.inter"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "apple" not in line))
    config = MedConfig("MedMoE", "tinyfood", overrides={"data_path": str(own_food.parent)})
    dataset = data_preparation(config, create_dataset(config))[0]._dataset
    apple = dataset.item_tokens.index("apple")
    assert not dataset.train_items[apple] and dataset.known_items[apple]


def test_features_are_made_once_and_shared_by_all_parts(food_data: Maker) -> None:
    _, train, _, test = food_data("MedMoE")
    assert train._dataset.features(TEXT) is test._dataset.features(TEXT)


def test_what_training_sees_is_unknown_before_the_split(food_config: Maker) -> None:
    with pytest.raises(RuntimeError, match="data_preparation"):
        create_dataset(food_config("MedMoE")).train_users


def test_groups_mark_cold_patients_and_conditions(food_data: Maker) -> None:
    _, train, _, _ = food_data("MedMoE", "cold_patient")
    groups = train._dataset.groups(["p0001", "p0030"], "test")
    assert groups["cold_patient"].tolist() == [False, True] and groups["warm_patient"].tolist() == [True, False]
    assert groups["condition:hypertension"].tolist() == [True, False]
    assert "cold_item" not in groups


def test_groups_mark_cold_items(food_data: Maker) -> None:
    _, train, _, _ = food_data("MedMoE", "cold_item0")
    assert train._dataset.groups(["p0001"], "test")["cold_item"].tolist() == [True]


def test_the_table_of_statistics_names_counts(food_data: Maker) -> None:
    lines = food_data("MedMoE")[1]._dataset.describe().splitlines()
    assert any(line.split() == ["users", "30"] for line in lines) and any(line.startswith("rows") for line in lines)


@pytest.mark.parametrize("model, base", [("BPR", Dataset), ("SASRec", SequentialDataset)])
def test_the_base_is_the_class_that_recbole_picks(model: str, base: type) -> None:
    dataset = create_dataset(MedConfig(model, "ml-100k"))
    assert isinstance(dataset, base) and type(create_dataset(MedConfig(model, "ml-100k"))) is type(dataset)
    assert (type(dataset) is MedDataset) == (base is Dataset)


def test_a_feature_model_on_ml_100k_is_told_what_is_missing() -> None:
    config = MedConfig("LLMOnly", "ml-100k")
    train = data_preparation(config, create_dataset(config))[0]
    with pytest.raises(DataError, match="neither texts nor pictures"):
        train._dataset.features(TEXT)


def test_a_broken_folder_is_refused_before_recbole_reads_it(own_food: Path) -> None:
    with (own_food / "tinyfood.cold_patient.train.inter").open("a") as stream:
        stream.write("p0001\tunicorn\n")
    with pytest.raises(DataError, match="unicorn"):
        create_dataset(MedConfig("MedMoE", "tinyfood", overrides={"data_path": str(own_food.parent)}))


def test_a_folder_in_the_usual_place_needs_no_configuration_of_ours(tiny_food: Path) -> None:
    from recbole.config import Config

    from recbole_medmoe.model.medmoe import MoEOnly

    config = Config(model=MoEOnly, dataset="tinyfood", config_dict={
        "data_path": str(tiny_food.parent), "benchmark_filename": ["cold_patient.train", "cold_patient.valid",
                                                                   "cold_patient.test"],
        "load_col": {"inter": ["user_id", "item_id"]}, "train_neg_sample_args": None})
    assert create_dataset(config).folder == tiny_food


def test_data_that_derive_from_credentialed_sources_say_so(food_data: Maker) -> None:
    assert food_data("MedMoE")[1]._dataset.is_credentialed is False


def test_known_users_are_training_users_in_the_warm_split(food_data: Maker) -> None:
    _, train, _, test = food_data("MedMoE", "warm")
    users = torch.unique(test._dataset.inter_feat["user_id"])
    assert train._dataset.train_users[users].all()
