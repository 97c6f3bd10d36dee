"""Layers, origins, derived values, and the way back from a stored configuration."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from recbole_medmoe.config import MedConfig
from recbole_medmoe.errors import ConfigError, MissingPackageError
from recbole_medmoe.paths import packaged_data_dir


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("model", ["BPR", "FM", "MultiVAE", "EASE", "DIN", "KTUP", "Random"])
def test_recbole_models_keep_recboles_values(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from recbole.config import Config

    monkeypatch.setattr(sys, "argv", ["x"])
    ours = MedConfig(model, "ml-100k")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # RecBole's constructor sets it
    stock = Config(ours.model_class, "ml-100k").final_config_dict
    differs = {key for key, value in stock.items() if ours[key] != value}
    assert differs <= {"eval_batch_size", "show_progress", "use_gpu", "device", "data_path"}
    assert Path(ours["data_path"]).samefile(stock["data_path"])


def test_each_layer_wins_over_the_one_below(home: Path) -> None:
    first = _write(home / "one.yaml", "seed: 1\nepochs: 1\nworker: 1\nstopping_step: 1\n")
    second = _write(home / "two.yaml", "\nepochs: 2\nworker: 2\nstopping_step: 2\n")
    config = MedConfig("BPR", "tinyfood", split="cold", files=[first, second],
                       overrides={"worker": 3, "stopping_step": 3}, argv=["--stopping_step=4"])
    assert [config[key] for key in ("seed", "epochs", "worker", "stopping_step")] == [1, 2, 3, 4]
    assert config.origins["seed"] == f"{first}:1"
    assert config.origins["epochs"] == f"{second}:2"
    assert config.origins["worker"] == "overrides"
    assert config.origins["stopping_step"] == "command line"
    assert config.origins["train_batch_size"] == "RecBole's overall.yaml"
    assert config.origins["embedding_size"] == "RecBole's model/BPR.yaml"
    assert config.origins["runs_dir"] == "properties/overall.yaml"


def test_arguments_of_the_host_process_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest", "--learning_rate=0.5"])
    assert MedConfig("BPR", "ml-100k")["learning_rate"] == 0.001


def test_nothing_of_the_process_is_changed(home: Path) -> None:
    from recbole.utils import dataset_arguments

    def state() -> tuple[object, ...]:
        rules = sum(len(rules) for rules in yaml.FullLoader.yaml_implicit_resolvers.values())
        return os.environ.get("CUDA_VISIBLE_DEVICES"), list(dataset_arguments), sorted(home.iterdir()), rules

    before = state()
    MedConfig("BPR", "ml-100k", argv=["--device=cpu"])
    assert state() == before
    assert yaml.safe_load("1e3") == "1e3"


def test_split_names_the_files(home: Path) -> None:
    config = MedConfig("BPR", "tinyfood", split="warm")
    assert config["benchmark_filename"] == ["warm.train", "warm.valid", "warm.test"]
    assert config.origins["split"] == "command line" and config.split == config["split"] == "warm"
    assert Path(config["data_path"]).samefile(home / "dataset" / "tinyfood")


def test_default_split_comes_from_the_manifest(home: Path) -> None:
    _write(home / "dataset" / "tinyfood" / "manifest.json", '{"default_split": "cold"}')
    config = MedConfig("BPR", "tinyfood")
    assert config.split == "cold" and config.origins["split"] == "derived: the data set's default"


def test_pre_split_data_without_a_default_ask_for_one(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"choose one: --split cold \| warm"):
        MedConfig("BPR", "tinyfood")


def test_recboles_benchmark_filename_still_works(home: Path) -> None:
    names = ["cold.train", "cold.valid", "cold.test"]
    config = MedConfig("BPR", "tinyfood", overrides={"benchmark_filename": names})
    assert config.split is None and config["benchmark_filename"] == names


def test_split_and_benchmark_filename_together_are_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="give one of the two"):
        MedConfig("BPR", "tinyfood", split="cold", argv=["--benchmark_filename=[a, b, c]"])


def test_yaml_beside_the_users_data_is_read(home: Path) -> None:
    path = _write(home / "dataset" / "tinyfood" / "tinyfood.yaml", "split: warm\ntask: food\n")
    config = MedConfig("BPR", "tinyfood")
    assert config.split == "warm" and config.origins["split"].endswith("tinyfood.yaml:1")
    assert config["valid_metric"] == "MAP@5" and config.origins["topk"] == "properties/task/food.yaml"
    path.write_text("splitt: warm\n")
    with pytest.raises(ConfigError, match=r"unknown key 'splitt' \(dataset/tinyfood/tinyfood.yaml:1\).*'split'"):
        MedConfig("BPR", "tinyfood", split="cold")


def test_data_path_moves_the_users_data(home: Path) -> None:
    (home / "dataset").rename(home / "elsewhere")
    config = MedConfig("BPR", "tinyfood", split="cold", argv=["--data_path=elsewhere"])
    assert Path(config["data_path"]).samefile(home / "elsewhere" / "tinyfood")
    assert config.resolved()["data_path"] == "elsewhere"


@pytest.mark.parametrize("model", ["BPR", "FM"])
def test_food_is_ranked_in_full_by_every_model(model: str) -> None:
    config = MedConfig(model, "healthfood")
    assert config["eval_args"]["mode"] == {"valid": "full", "test": "full"}
    assert config["metrics"] == ["Precision", "Recall", "NDCG", "MAP", "Hit", "MRR", "ItemCoverage", "GiniIndex",
                                 "ListDistance", "PopularityLift"]
    assert config["train_neg_sample_args"]["distribution"] == "uniform"
    assert config.split == "cold_patient" and config.dataset_folder == packaged_data_dir() / "healthfood"


@pytest.mark.parametrize("model, negatives", [("SASRec", "none"), ("DiffRec", "none"), ("BPR", "uniform")])
def test_losses_over_all_items_take_no_negatives(model: str, negatives: str) -> None:
    assert MedConfig(model, "ml-100k")["train_neg_sample_args"]["distribution"] == negatives


@pytest.mark.parametrize("arguments, metric", [
    (["--topk=[5,20]"], "MRR@5"), (["--metrics=[Recall,NDCG]"], "Recall@10"), (["--metrics=mrr"], "MRR@10"),
    (["--metrics=[GAUC]"], "GAUC"), (["--topk=20", "--valid_metric=NDCG@20"], "NDCG@20"),
])
def test_valid_metric_follows_metrics_and_topk(arguments: list[str], metric: str) -> None:
    assert MedConfig("BPR", "ml-100k", argv=arguments)["valid_metric"] == metric


@pytest.mark.parametrize("arguments", [["--metrics=[GAUC,ListDistance]"], [
    "--metrics=[PopularityLift]", "--eval_args={split: {RS: [0.8,0.1,0.1]}, order: RO, group_by: user, mode: uni100}"]])
def test_metrics_of_our_own_need_full_ranking(arguments: list[str]) -> None:
    with pytest.raises(ConfigError, match="need full ranking"):
        MedConfig("BPR", "ml-100k", argv=arguments)


def test_later_topk_wins_over_an_earlier_valid_metric(home: Path) -> None:
    file = _write(home / "a.yaml", "topk: [20]\nvalid_metric: NDCG@20\n")
    assert MedConfig("BPR", "ml-100k", files=[file], argv=["--topk=5"])["valid_metric"] == "NDCG@5"


def test_evaluation_batch_is_counted_in_scores() -> None:
    assert 4096 < MedConfig("BPR", "ml-100k")["eval_batch_size"] <= 4_194_304
    assert MedConfig("NeuMF", "ml-100k")["eval_batch_size"] <= 65_536  # scores pair by pair
    assert MedConfig("SASRec", "ml-100k")["eval_batch_size"] == 4096  # counted in rows
    assert MedConfig("FM", "ml-100k")["eval_batch_size"] == 4096  # labelled pairs
    assert MedConfig("BPR", "ml-100k", argv=["--eval_batch_size=7"])["eval_batch_size"] == 7


def test_device_cpu_is_kept() -> None:
    config = MedConfig("BPR", "ml-100k", argv=["--device=cpu"])
    assert config["device"].type == "cpu" and config["use_gpu"] is False
    assert config.resolved()["device"] == "cpu" and config.resolved()["use_gpu"] is True


def test_recboles_use_gpu_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert MedConfig("BPR", "ml-100k", argv=["--use_gpu=False"])["device"].type == "cpu"


@pytest.mark.parametrize("available, count, argument, message", [
    (False, 0, "--device=cuda:0", "torch sees no CUDA device; use device: cpu or auto"),
    (True, 1, "--device=cuda:3", "torch sees 1 CUDA device"),
    (True, 2, "--gpu_id=0,1", "one GPU is used by a run"),
])
def test_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch, available: bool, count: int, argument: str,
                                  message: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: available)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    with pytest.raises(ConfigError, match=message):
        MedConfig("BPR", "ml-100k", argv=[argument])


def test_topk_is_clamped_to_the_catalogue() -> None:
    config = MedConfig("BPR", "ml-100k", argv=["--topk=[2,5,9]", "--valid_metric=MRR@9"])
    assert config.clamp_topk(6) == config["topk"] == [2, 5, 6]
    assert config["valid_metric"] == "MRR@6" and "6 items" in config.origins["topk"]
    assert config.clamp_topk(100) == [2, 5, 6]
    assert config.resolved()["topk"] == [2, 5, 6]


@pytest.mark.parametrize("model, data, arguments", [
    ("BPR", "ml-100k", ["--topk=5", "--eval_batch_size=100"]), ("SASRec", "ml-100k", []), ("FM", "healthfood", []),
    ("h1_model:Tiny", "tinyfood", ["--split=warm", "--width=3"]),
    ("Pop", "ml-100k", ["--extra_keys=[mine]", "--mine={a: [1, 2]}", "--precision=no"]),
])
def test_resolved_gives_the_same_configuration_again(home: Path, model: str, data: str, arguments: list[str]) -> None:
    config = MedConfig(model, data, argv=arguments)
    stored = config.resolved()
    file = _write(home / "config.yaml", yaml.safe_dump(stored))
    again = MedConfig(stored["model"], stored["dataset"], files=[file])
    assert again.resolved() == stored
    changed = {key for key, value in config.final_config_dict.items() if again[key] != value}
    assert changed <= {"eval_batch_size", "show_progress"}


def test_table_has_every_value_with_its_origin() -> None:
    config = MedConfig("BPR", "ml-100k", argv=["--epochs=5"])
    rows = config.table()
    assert [row[0] for row in rows[:4]] == ["split", "dataset", "model", "embedding_size"]
    assert ("epochs", 5, "command line") in rows
    assert {row[0] for row in rows} == set(config.final_config_dict) and all(row[2] for row in rows)


def test_program_can_set_a_value() -> None:
    config = MedConfig("BPR", "ml-100k")
    config["seed"] = 7
    assert config["seed"] == config.resolved()["seed"] == 7 and config.origins["seed"] == "set by the program"


def test_params_are_validated_and_filled_from_the_yaml(home: Path) -> None:
    config = MedConfig("h1_model:Tiny", "tinyfood", split="cold", argv=["--width=16"])
    params: Any = config.params
    assert (params.width, params.widths, params.fusion) == (16, (4, 2), "late")
    assert config["train_neg_sample_args"]["distribution"] == "none"
    assert config.origins["fusion"].endswith("Tiny.yaml")


def test_keys_of_the_other_models_of_a_comparison_are_left_to_them(home: Path) -> None:
    arguments = ["--width=16", "--loose_size=9"]
    config = MedConfig("h1_model:Tiny", "tinyfood", split="cold", argv=arguments, beside=["h1_model:Loose", "BPR"])
    assert config["width"] == 16 and "loose_size" not in config
    with pytest.raises(ConfigError, match="unknown key 'loose_siz'"):
        MedConfig("h1_model:Tiny", "tinyfood", split="cold", argv=["--loose_siz=9"], beside=["h1_model:Loose"])


def test_model_whose_package_is_missing_is_told_by_name(home: Path) -> None:
    _write(home / "h1_missing.py", "import no_such_dependency\n")
    with pytest.raises(MissingPackageError, match="no_such_dependency"):
        MedConfig("h1_missing:Mine", "ml-100k")


def test_lists_are_padded_no_further_than_a_split_can_fill_them(food_config: Any) -> None:
    assert food_config("SASRec", "warm")["MAX_ITEM_LIST_LENGTH"] == 5
    assert food_config("SASRec", "warm", MAX_ITEM_LIST_LENGTH=30)["MAX_ITEM_LIST_LENGTH"] == 30
    assert food_config("BPR", "warm")["MAX_ITEM_LIST_LENGTH"] == MedConfig("SASRec", "ml-100k")["MAX_ITEM_LIST_LENGTH"]
