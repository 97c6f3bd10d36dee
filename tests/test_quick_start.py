from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import recbole_medmoe
from recbole_medmoe.errors import CheckpointError, ConfigError, DataError, MissingPackageError, TrainingError
from recbole_medmoe.evaluation.pooled import POOLED_METRICS
from recbole_medmoe.quick_start import RunResult, compare, load, run
from recbole_medmoe.quick_start.comparing import merge_faults
from recbole_medmoe.quick_start.saving import pack, unpack
from recbole_medmoe.store import read_record, read_rows
from recbole_medmoe.trainer import MedTrainerMixin

PATIENT = {"text": "Patient with hypertension, sex female.", "age": 60, "sex": "female", "bmi": 25.0,
           "conditions": ["hypertension"], "medicines": []}


def _run(model: str, food: Path, runs: Path, split: str | None = None, **keys: Any) -> RunResult:
    small = {"epochs": 2, "bootstrap_draws": 50, "min_group": 2, "device": "cpu", "data_path": str(food.parent)}
    return run(model, food.name, split=split, overrides={**small, **keys}, runs_dir=runs)


@pytest.fixture(scope="module")
def hybrid(_tiny_food: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """MedMoE on tinyfood."""
    return _run("MedMoE", _tiny_food, tmp_path_factory.mktemp("runs"))


def test_the_public_names_are_the_functions_of_quick_start() -> None:
    assert (recbole_medmoe.run, recbole_medmoe.compare, recbole_medmoe.load) == (run, compare, load)


def test_a_run_leaves_the_files_of_the_design_and_nothing_else(hybrid: RunResult) -> None:
    assert sorted(path.name for path in hybrid.folder.iterdir()) == [
        "config.yaml", "log.jsonl", "model", "record.json", "rows.parquet"]
    assert hybrid.folder.parts[-3:-1] == ("tinyfood", "MedMoE")


def test_a_run_leaves_nothing_in_the_working_folder(
        tiny_food: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _run("BPR", tiny_food, tmp_path / "kept", split="warm")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_record_on_disk_is_the_one_given_back(hybrid: RunResult) -> None:
    assert read_record(hybrid.folder) == hybrid.record


def test_the_record_says_what_was_run(hybrid: RunResult) -> None:
    record = hybrid.record
    assert record["data"]["split"] == "cold_patient" and record["data"]["rows"]["train"] > 0
    assert record["training"]["epochs"] == 2 and record["evaluation"]["test_scored"] == 1
    assert {known["name"] for known in record["model"]["backbone"]} == {
        "minilm-l6", "efficientnet-lite0", "smollm2-135m"}
    assert len(record["routing"]["load"]) == 4 and sum(record["routing"]["load"]) == pytest.approx(1)
    assert "--epochs=2" in record["run"]["command"]


def test_the_rows_average_to_the_record(hybrid: RunResult) -> None:
    rows = read_rows(hybrid.folder)
    for name, value in hybrid.record["evaluation"]["metrics"].items():
        if name.split("@")[0] not in POOLED_METRICS:
            assert np.mean(rows[name]) == pytest.approx(value, abs=1e-12)
    assert len(rows["topk"][0]) == 10 and set(rows["topk"][0]) <= set(load(hybrid.folder).items)


def test_groups_in_the_record_are_means_of_their_rows(hybrid: RunResult) -> None:
    rows = read_rows(hybrid.folder)
    for name, line in hybrid.record["evaluation"]["groups"].items():
        mask = np.asarray(rows[f"group:{name}"])
        assert line["n"] == mask.sum()
        if line["metrics"]:
            assert line["metrics"]["map@5"] == pytest.approx(np.mean(rows["map@5"][mask]), abs=1e-12)


def test_gates_of_groups_in_the_record_are_those_of_their_rows(hybrid: RunResult, food_data: Any) -> None:
    _, train, _, _ = food_data("MedMoE")
    rows = read_rows(hybrid.folder)
    names = train._dataset.user_tokens
    gates = hybrid.model.diagnostics(hybrid.model.user_inputs(torch.tensor([names.index(row) for row in rows["row"]])),
                                     hybrid.model.item_inputs())
    told = hybrid.record["routing"]["groups"]
    assert told and set(told) <= set(hybrid.record["evaluation"]["groups"])
    for group, line in told.items():
        mask = torch.tensor(np.asarray(rows[f"group:{group}"]))
        assert line["n"] == int(mask.sum()) >= 2
        assert line["experts"] == pytest.approx(gates["experts"][mask].mean(0).tolist(), abs=1e-6)
        assert line["branches"] == pytest.approx(gates["branches"][mask].mean(0).tolist(), abs=1e-6)


def test_no_text_of_a_patient_is_left_in_the_folder(hybrid: RunResult) -> None:
    for path in hybrid.folder.rglob("*"):
        if path.is_file():
            assert b"Patient with" not in path.read_bytes(), path.name


def test_the_stored_configuration_gives_the_same_run(hybrid: RunResult, tiny_food: Path, tmp_path: Path) -> None:
    again = run("MedMoE", "tinyfood", files=[hybrid.folder / "config.yaml"], runs_dir=tmp_path)
    assert again.record["evaluation"]["metrics"] == hybrid.record["evaluation"]["metrics"]
    assert again.record["model"]["config_sha256"] == hybrid.record["model"]["config_sha256"]


def test_the_hash_of_the_configuration_leaves_the_seed_out(hybrid: RunResult, tiny_food: Path, tmp_path: Path) -> None:
    other = _run("MedMoE", tiny_food, tmp_path, seed=1)
    assert other.record["training"]["seed"] == 1
    assert other.record["model"]["config_sha256"] == hybrid.record["model"]["config_sha256"]


def test_test_rows_are_scored_once_and_only_after_training(
        tiny_food: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    known = MedTrainerMixin.evaluate_rows

    def spy(self: Any, loader: Any, phase: str | None = None, show_progress: bool = False) -> Any:
        seen.append((loader._sampler.phase, len(self.history)))
        return known(self, loader, phase, show_progress)

    monkeypatch.setattr(MedTrainerMixin, "evaluate_rows", spy)
    _run("BPR", tiny_food, tmp_path, split="warm", epochs=3)
    assert [phase for phase, _ in seen] == ["valid"] * 3 + ["test"]
    assert seen[-1][1] == 3


@pytest.mark.parametrize("model", ["Pop", "ItemKNN", "EASE", "BPR", "LightGCN", "MultiVAE", "NeuMF", "FM", "DeepFM"])
def test_recboles_models_leave_the_same_and_load_to_the_same_scores(
        model: str, tiny_food: Path, tmp_path: Path) -> None:
    result = _run(model, tiny_food, tmp_path, split="warm", epochs=1)
    trained = load(result.folder)
    for name, value in result.model.state_dict().items():
        assert torch.equal(trained.model.state_dict()[name], value)
    first, second = (pack(known.other_parameter() or {})[0] for known in (result.model, trained.model))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert set(result.record["evaluation"]["metrics"]) >= {"map@5", "ndcg@10"}


def test_an_id_model_cannot_score_a_new_patient(tiny_food: Path, tmp_path: Path) -> None:
    trained = load(_run("BPR", tiny_food, tmp_path, split="warm").folder)
    with pytest.raises(CheckpointError, match="BPR knows users only by their ids"):
        trained.score([PATIENT])


def test_an_id_model_says_that_its_data_set_is_gone(own_food: Path, tmp_path: Path) -> None:
    result = _run("BPR", own_food, tmp_path / "runs", split="warm")
    shutil.rmtree(own_food)
    with pytest.raises(CheckpointError, match="built again from its data set 'tinyfood', which fails"):
        load(result.folder)


@pytest.mark.parametrize("model", ["BowRidge", "ConditionLookup"])
def test_a_moved_folder_scores_a_patient_where_the_data_set_is_gone(model: str, own_food: Path, tmp_path: Path) -> None:
    result = _run(model, own_food, tmp_path / "runs")
    moved = shutil.copytree(result.folder, tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "runs")
    shutil.rmtree(own_food)
    trained = load(moved)
    scores = trained.score([{key: PATIENT[key] for key in trained.keys}])
    assert scores.shape == (1, 12)
    assert {trained.items[place] for place in scores[0].argsort()[-3:]} == {"apple", "banana", "cabbage"}


def test_a_loaded_hybrid_scores_like_the_trained_one(hybrid: RunResult) -> None:
    trained = load(hybrid.folder)
    users = hybrid.model.user_inputs(torch.arange(1, 6))
    assert torch.equal(trained.model.score_features(users), hybrid.model.score_features(users))


def test_a_patient_without_a_key_is_told_by_number_and_key(hybrid: RunResult) -> None:
    patient = {key: value for key, value in PATIENT.items() if key != "age"}
    with pytest.raises(DataError, match="patient 1: key 'age' is missing") as caught:
        load(hybrid.folder).score([patient])
    assert "hypertension" not in str(caught.value)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run folder"):
        load(tmp_path / "none")


def test_a_model_that_knows_only_ids_is_refused_where_every_patient_is_new(tiny_food: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="BPR: knows users only by their ids.*splits that work: warm"):
        _run("BPR", tiny_food, tmp_path)
    with pytest.raises(ConfigError, match="EASE: knows items only by their ids"):
        _run("EASE", tiny_food, tmp_path, split="cold_item0")


def test_a_comparison_refuses_before_the_first_run(tiny_food: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="BPR: knows users only"):
        compare(["Pop", "BPR"], "tinyfood", overrides={"data_path": str(tiny_food.parent)}, runs_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_fault_of_all_models_is_told_once() -> None:
    assert merge_faults(["A: x", "B: x", "B: y: z"], ["A", "B"]) == ["x", "B: y: z"]


def test_a_comparison_averages_seeds_and_names_the_first(tiny_food: Path, tmp_path: Path) -> None:
    compared = compare(["ConditionLookup", "Random"], "tinyfood", seeds=[0, 1], runs_dir=tmp_path, overrides={
        "data_path": str(tiny_food.parent), "bootstrap_draws": 50})
    found = compared.comparison
    assert found is not None and [model.name for model in found.models] == ["ConditionLookup", "Random"]
    records = [read_record(folder) for folder in compared.folders]
    assert [record["training"]["seed"] for record in records] == [0, 1, 0, 1]
    means = [record["evaluation"]["metrics"]["map@5"] for record in records[2:]]
    assert found["Random"].intervals["map@5"].mean == pytest.approx(np.mean(means))
    assert found.models[0].against is None and found["Random"].against is not None


def test_keys_of_single_models_win(tiny_food: Path, tmp_path: Path) -> None:
    compared = compare(
        ["BPR", "LightGCN"], "tinyfood", split="warm", runs_dir=tmp_path, per_model={"BPR": {"learning_rate": .25}},
        overrides={"data_path": str(tiny_food.parent), "epochs": 1, "learning_rate": .5})
    rates = [read_record(folder)["model"]["config"]["learning_rate"] for folder in compared.folders]
    assert rates == [.25, .5]


def test_metrics_without_rows_are_recorded_and_not_compared(tiny_food: Path, tmp_path: Path) -> None:
    keys = {"metrics": ["AUC"], "valid_metric": "AUC", "eval_args": {"mode": "uni5", "order": "RO", "group_by": "user",
                                                                     "split": {"RS": [.8, .1, .1]}}}
    result = _run("BPR", tiny_food, tmp_path, split="warm", **keys)
    assert list(result.record["evaluation"]["metrics"]) == ["auc"]
    assert not (result.folder / "rows.parquet").exists()


def test_data_from_credentialed_sources_are_hashed_and_private(own_food: Path, tmp_path: Path) -> None:
    from recbole_medmoe.atomic import write_manifest

    write_manifest(own_food, title="t", source=["s"], licence="l", command="c", derived_from_credentialed=True,
                   splits={"cold_patient": "new patients"}, default_split="cold_patient")
    first, second = (_run("Pop", own_food, tmp_path / "runs") for _ in range(2))
    rows = [read_rows(result.folder)["row"] for result in (first, second)]
    assert rows[0] == rows[1] and not any(row.startswith("p0") for row in rows[0])
    assert first.folder.stat().st_mode & 0o077 == 0
    assert first.record["data"]["derived_from_credentialed"] is True


def test_training_that_diverges_keeps_the_last_finite_weights(
        tiny_food: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recbole.model.general_recommender.bpr import BPR

    known = BPR.calculate_loss
    calls = []

    def diverges(self: Any, interaction: Any) -> Any:
        calls.append(1)
        return known(self, interaction) * (float("nan") if len(calls) > 2 else 1)

    monkeypatch.setattr(BPR, "calculate_loss", diverges)
    with pytest.raises(TrainingError, match="not finite.*epoch 3(.|\n)*best weights so far are kept in") as caught:
        _run("BPR", tiny_food, tmp_path, split="warm", epochs=5)
    folder = Path(str(caught.value).rsplit(" ", 1)[1])
    assert (folder / "model" / "model.safetensors").is_file() and not (folder / "record.json").exists()
    assert len((folder / "log.jsonl").read_text().splitlines()) == 2


def test_a_model_that_needs_a_missing_package_names_it(
        tiny_food: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needy.py").write_text(
        "from recbole.model.general_recommender.bpr import BPR\n\n\nclass Needy(BPR):\n"
        "    def __init__(self, config, dataset):\n        import no_such_package_here\n")
    (tmp_path / "Needy.yaml").write_text("embedding_size: 8\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingPackageError, match="model Needy needs the package 'no_such_package_here'"):
        _run("needy:Needy", tiny_food, tmp_path / "runs", split="warm")
    assert not (tmp_path / "runs").exists()


def test_other_parameters_come_back_as_they_were() -> None:
    from scipy import sparse

    others = {"dense": np.arange(6.0).reshape(2, 3), "tensor": torch.arange(3), "number": 3, "none": None,
              "lil": sparse.random(4, 5, density=.4, format="lil", random_state=0), "csc": sparse.eye(3, format="csc")}
    back = unpack(*pack(others))
    assert (back["number"], back["none"]) == (3, None)
    assert np.array_equal(back["dense"], others["dense"]) and torch.equal(back["tensor"], others["tensor"])
    for name in ("lil", "csc"):
        assert back[name].format == others[name].format and not (back[name] != others[name]).nnz


def test_what_no_checkpoint_holds_is_refused() -> None:
    with pytest.raises(TypeError, match="other parameter 'bad' is a object"):
        pack({"bad": object()})


def test_config_and_log_are_plain_text(hybrid: RunResult) -> None:
    assert yaml.safe_load((hybrid.folder / "config.yaml").read_text())["model"] == "MedMoE"
    lines = [json.loads(line) for line in (hybrid.folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1] and all("valid_score" in line for line in lines)


def test_the_start_is_noted_finely_enough_to_order_runs_of_the_same_second(hybrid: RunResult) -> None:
    assert len(hybrid.record["run"]["started"].split(".")[1]) == len("123456+00:00")
