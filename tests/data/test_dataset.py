"""MedDataset: folders, splits, what training sees, candidates and groups."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from recbole.data.dataset import Dataset, SequentialDataset

from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import FeatureRequest, MedDataset, TokenSpec, create_dataset, data_preparation
from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.errors import DataError

Maker = Callable[..., Any]
TEXT = FeatureRequest("text", "user", "text", EncoderSpec("text", "minilm-l6", "mean"))
PICTURES = EncoderSpec("image", "efficientnet-lite0", "pool")


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


def test_ml_100k_has_texts_of_items_and_none_of_users() -> None:
    config = MedConfig("LLMOnly", "ml-100k")
    train = data_preparation(config, create_dataset(config))[0]
    texts = train._dataset.texts("item")
    assert len(texts) == 1682 and texts["15"] == "Mr. Holland's Opus (1995)\nDrama"
    with pytest.raises(DataError, match="user.jsonl is missing: the model reads user texts"):
        train._dataset.features(TEXT)
    for request in (replace(TEXT, optional=True), FeatureRequest("i", "item", "image", PICTURES, optional=True),
                    FeatureRequest("t", "user", "tokens", TokenSpec("smollm2-135m", None, 8), optional=True)):
        table = train._dataset.features(request)
        assert table.matrix.shape[1] == 1 and not table.present.any()
        assert bool((table.matrix == (-1 if request.modality == "tokens" else 0)).all())


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


def _named(dataset: Any, part: Any) -> list[str]:
    rows = zip(part.inter_feat["user_id"].tolist(), part.inter_feat["item_id"].tolist())
    return sorted(f"{dataset.user_tokens[user]}\t{dataset.item_tokens[item]}" for user, item in rows)


def test_a_label_variant_has_the_rows_of_its_own_files(food_data: Maker) -> None:
    _, *loaders = food_data("MedMoE", "cold_patient", labels="A")
    dataset = loaders[0]._dataset
    for phase, loader in zip(("train", "valid", "test"), loaders):
        file = dataset.folder / "labels" / "A" / f"tinyfood.cold_patient.{phase}.inter"
        assert _named(dataset, loader._dataset) == sorted(file.read_text().split("\n")[1:-1])
    assert dataset.statistics["rows"]["train"] == len(loaders[0]._dataset) == 70


@pytest.mark.parametrize("model", ["MedMoE", "EASE"])
def test_ids_under_a_label_variant_are_those_of_the_data_sets_own_labels(food_config: Maker, model: str) -> None:
    own, other = (create_dataset(food_config(model, "cold_patient", labels=labels)) for labels in (None, "A"))
    assert own.item_tokens == other.item_tokens and own.user_tokens == other.user_tokens
    wanted = {other.item_tokens[item] for item in other.inter_feat["item_id"]}
    assert own.num("item_id") == other.num("item_id") == 13 and "cabbage" not in wanted


def test_a_share_of_the_training_users_leaves_ids_and_the_other_parts_as_they_are(food_data: Maker) -> None:
    whole, some = (food_data("MedMoE", "cold_patient", train_share=share)[1:] for share in (1.0, 0.3))
    dataset = some[0]._dataset
    assert dataset.user_tokens == whole[0]._dataset.user_tokens
    for own, other in zip(whole[1:], some[1:]):
        assert _named(dataset, own._dataset) == _named(dataset, other._dataset)
    kept = torch.unique(dataset.inter_feat["user_id"])
    assert len(kept) == 6 and dataset.train_users.nonzero().squeeze(-1).equal(kept)
    rows = [row for row in _named(dataset, whole[0]._dataset)
            if row.split("\t")[0] in {dataset.user_tokens[user] for user in kept}]
    assert _named(dataset, dataset) == rows


def test_statistics_and_fitted_features_follow_the_share(food_data: Maker) -> None:
    dataset = food_data("MedMoE", "cold_patient", train_share=0.3, seed=1)[1]._dataset
    told = dataset.statistics
    assert told["train_users"] == {"kept": 6, "of": 20} and told["rows"]["train"] == len(dataset)
    assert told["items_per_user"]["train"] == round(len(dataset) / 6, 2)
    state = dataset.fitted(FeatureRequest("age", "user", "profile", fields=("age",)))
    records, _ = dataset.store.records("user")
    ages = [records[user]["age"] for user in dataset.train_users.nonzero().squeeze(-1).tolist()]
    known = [float(age) for age in ages if age == age]
    assert state["fields"][0]["mean"] == pytest.approx(sum(known) / len(known))


def test_a_warm_user_whose_rows_are_left_out_counts_as_cold(food_data: Maker) -> None:
    dataset = food_data("BPR", "warm", train_share=0.3)[1]._dataset
    groups = dataset.statistics["groups"]
    assert (groups["cold_patient"], groups["warm_patient"]) == (18, 9)
    assert dataset.groups(dataset.user_tokens[1:], "test")["warm_patient"].sum() == 9


@pytest.mark.parametrize("model", ["BPR", "SASRec"])
def test_any_model_of_recbole_can_have_a_share(model: str) -> None:
    config = MedConfig(model, "ml-100k", overrides={"train_share": 0.1})
    dataset = data_preparation(config, create_dataset(config))[0]._dataset
    assert dataset.statistics["train_users"]["kept"] == round(dataset.statistics["train_users"]["of"] / 10)
    assert len(torch.unique(dataset.inter_feat["user_id"])) == dataset.statistics["train_users"]["kept"]


def test_a_split_with_texts_of_its_own_has_features_of_its_own(food_data: Maker) -> None:
    common, own = (food_data("MedMoE", split)[1]._dataset.features(TEXT) for split in ("cold_patient", "phrasing"))
    assert common.matrix.shape == own.matrix.shape and not torch.equal(common.matrix, own.matrix)


def test_no_pictures_are_absent_rows(food_data: Maker) -> None:
    dataset = food_data("MedMoE")[1]._dataset
    table = dataset.other_pictures(FeatureRequest("image", "item", "image",
                                                  EncoderSpec("image", "efficientnet-lite0", "pool")), "none")
    assert table.matrix.shape == (13, 8) and not table.present.any()
