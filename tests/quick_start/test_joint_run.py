"""Runs of one model on several data sets together."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from recbole_medmoe.checks.tiny_choice import make_choices
from recbole_medmoe.checks.tiny_food import make_food
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.checks.tiny_visits import make_visits
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.quick_start import compare, load, run
from recbole_medmoe.store import load_model, read_record

SETS = "questions,foods,stays"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joint")
    make_choices(folder / "data" / "questions")
    make_food(folder / "data" / "foods")
    make_visits(folder / "data" / "stays")
    make_llama(folder / "llama")
    return folder


def _keys(place: Path, **keys: Any) -> dict[str, Any]:
    small = {"data_path": str(place / "data"), "cache_dir": str(place / "cache"), "backbone": str(place / "llama"),
             "tuned_layers": 1, "epochs": 1, "train_share": 1.0, "prompt_max_tokens": 200, "progress": False,
             "device": "cpu", "bootstrap_draws": 20, "min_group": 2}
    return {**small, **keys}


@pytest.fixture(scope="module")
def folders(place: Path) -> tuple[Path, ...]:
    return compare(["MINGMoE"], SETS, overrides=_keys(place), runs_dir=place / "runs").folders


def test_each_data_set_leaves_a_record_by_its_own_protocol(folders: tuple[Path, ...]) -> None:
    records = [read_record(folder) for folder in folders]
    assert [record["data"]["name"] for record in records] == SETS.split(",")
    own = ["accuracy", "map@5", "prauc"]
    told = [[name for name in own if name in record["evaluation"]["metrics"]] for record in records]
    assert told == [[name] for name in own]
    assert all(record["evaluation"]["test_scored"] == 1 for record in records)
    assert [record["evaluation"]["threshold"] is None for record in records] == [True, True, False]


def test_records_name_each_other_and_tell_probe_and_costs(folders: tuple[Path, ...]) -> None:
    for folder in folders:
        record = read_record(folder)
        assert [member["run"] for member in record["run"]["joint"]] == [other.name for other in folders]
        others = [name for name in SETS.split(",") if name != record["data"]["name"]]
        assert record["model"]["config"]["trained_with"] == others
        assert record["evaluation"]["probe"]["tasks"] == 3 and record["training"]["epochs"] == 1
        assert record["model"]["costs"]["inference_tokens_per_second"] > 0


def test_the_adapter_is_the_same_in_all_folders(folders: tuple[Path, ...]) -> None:
    states = [load_model(folder / "model").tensors for folder in folders]
    shared = [name for name in states[0] if name.startswith("llm.")]
    assert shared and all(torch.equal(states[0][name], other[name]) for name in shared for other in states[1:])
    assert "head.weight" in states[2] and "head.weight" not in states[0]


def test_each_folder_serves_new_rows(folders: tuple[Path, ...]) -> None:
    choice, food, visit = map(load, folders)
    assert choice.score([{"text": "Which?", "options": ["tea", "salt"]}]).shape == (1, 2)
    assert food.score([{"text": "A patient."}]).shape == (1, len(food.items))
    assert visit.score([{"text": "Gout.", "diag": None, "proc": None, "earlier": None}]).shape == (1, len(visit.items))


def test_adapters_that_are_told_the_task_know_those_of_all_data_sets(place: Path) -> None:
    made = compare(["MINGMoE"], "questions,foods", overrides=_keys(place, adapter="task_gated"),
                   runs_dir=place / "gated").folders
    trained = load(made[1])
    assert trained.model.llm.labels == ["abstract", "exam.food", "food"]
    assert trained.score([{"text": "A patient."}]).shape[0] == 1


def test_without_an_adapter_only_the_medications_layer_learns(place: Path) -> None:
    made = compare(["MINGMoE"], "questions,stays", overrides=_keys(place, adapter="none"),
                   runs_dir=place / "none").folders
    trainable = [read_record(folder)["model"]["trainable"] for folder in made]
    assert trainable[0] == 0 and trainable[1] > 0 and read_record(made[0])["model"]["costs"]["trained_parameters"] == 0


def test_where_nothing_is_trained_there_is_no_schedule_to_be_too_short(place: Path) -> None:
    keys = _keys(place, adapter="none", warmup_steps=20, lr_schedule="cosine")
    made = compare(["MINGMoE"], "questions,foods", overrides=keys, runs_dir=place / "nothing").folders
    assert [read_record(folder)["training"]["epochs"] for folder in made] == [0, 0]


def test_a_model_of_one_data_set_refuses_several(place: Path) -> None:
    with pytest.raises(ConfigError, match="OptionPosition is trained on one data set"):
        compare(["OptionPosition"], "questions,foods", overrides={"data_path": str(place / "data")},
                runs_dir=place / "no")


def test_a_data_set_named_twice_is_refused(place: Path) -> None:
    with pytest.raises(ConfigError, match="names questions twice"):
        compare(["MINGMoE"], "questions,questions", overrides=_keys(place), runs_dir=place / "no")


def test_a_run_alone_does_not_pass_for_one_of_several(place: Path) -> None:
    with pytest.raises(ConfigError, match="trained_with: it tells of a joint training"):
        run("MINGMoE", "questions", overrides=_keys(place, trained_with=["foods"]), runs_dir=place / "no")


def test_a_split_goes_with_one_data_set(place: Path) -> None:
    with pytest.raises(ConfigError, match="--split question goes with one data set"):
        compare(["MINGMoE"], SETS, split="question", overrides=_keys(place), runs_dir=place / "no")
