from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Sequence

import pandas as pd
import pytest
import torch

from recbole_medmoe.data import create_dataset, data_preparation
from recbole_medmoe.errors import CheckpointError, ConfigError, DataError
from recbole_medmoe.quick_start import load
from recbole_medmoe.quick_start.predictions import Predictions
from recbole_medmoe.quick_start.running import RunResult, run_config

Config = Callable[..., Any]
SMALL = {"epochs": 2, "device": "cpu", "bootstrap_draws": 50, "min_group": 2}


def _exported(result: RunResult, config: Any, parts: Sequence[str] = ("valid", "test")) -> pd.DataFrame:
    """What a trained model says of the rows of some parts, as an outside system would write it."""
    loaders = dict(zip(("train", "valid", "test"), data_preparation(config, create_dataset(config))))
    frames = []
    result.model.eval()
    for part in parts:
        for interaction, *_ in loaders[part]:
            with torch.no_grad():
                scores = result.model.full_sort_predict(interaction.to("cpu")).view(len(interaction), -1)
            for user, row in zip(interaction[result.dataset.uid_field].tolist(), scores.tolist()):
                frames.append(pd.DataFrame({"row": result.dataset.user_tokens[user], "score": row[1:],
                                            "item": result.dataset.item_tokens[1:]}))
    return pd.concat(frames).drop_duplicates(["row", "item"])[["row", "item", "score"]]


def _imported(table: pd.DataFrame, path: Path, like: Any, name: str = "Outside") -> RunResult:
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    read = Predictions.read(name, path)
    keys = {**SMALL, "data_path": str(like.dataset_folder.parent)}
    return run_config(read.config(like.dataset, like.split, overrides=keys), runs_dir=path.parent / "runs",
                      predictions=read)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".csv.gz"])
def test_a_models_own_scores_come_back_with_its_metrics(food_config: Config, tmp_path: Path, suffix: str) -> None:
    config = food_config("MoEOnly", "warm", **SMALL)
    result = run_config(config, runs_dir=tmp_path)
    found = _imported(_exported(result, config, ("test",)), tmp_path / f"scores{suffix}", config).record
    assert found["evaluation"]["metrics"] == pytest.approx(result.record["evaluation"]["metrics"], abs=1e-12)
    assert found["model"]["name"] == "Outside" and found["model"]["imported"]["file"] == f"scores{suffix}"
    assert (found["model"]["parameters"], found["evaluation"]["latency_ms"]) == (0, None)


def test_a_threshold_is_tuned_on_their_validation_rows(visit_config: Config, tmp_path: Path) -> None:
    config = visit_config("VisitLR", **SMALL)
    result = run_config(config, runs_dir=tmp_path)
    found = _imported(_exported(result, config), tmp_path / "scores.csv", config).record
    assert found["evaluation"]["threshold"] == pytest.approx(result.record["evaluation"]["threshold"], rel=1e-6)
    for metric, value in result.record["evaluation"]["metrics"].items():
        assert found["evaluation"]["metrics"][metric] == pytest.approx(value, abs=1e-9)
    assert found["training"]["valid"] == result.record["training"]["valid"] and found["training"]["epochs"] == 0


def test_without_the_validation_rows_there_is_no_threshold(visit_config: Config, tmp_path: Path) -> None:
    config = visit_config("VisitPop", **SMALL)
    result = run_config(config, runs_dir=tmp_path)
    with pytest.raises(DataError, match="validation rows have no prediction"):
        _imported(_exported(result, config, ("test",)), tmp_path / "scores.csv", config)


def test_every_fault_of_a_file_is_told_at_once_and_no_row_is_named(food_config: Config, tmp_path: Path) -> None:
    config = food_config("Pop", "warm", **SMALL)
    table = _exported(run_config(config, runs_dir=tmp_path), config, ("test",)).astype({"score": object})
    rows = table["row"].unique()
    table = table[table["row"] != rows[0]].reset_index(drop=True)
    table = table.drop(index=table.index[table["row"] == rows[1]][0]).reset_index(drop=True)
    table.loc[5, "score"], table.loc[7, "score"] = "high", "inf"
    table = pd.concat([table, table.iloc[[3]], pd.DataFrame({
        "row": ["secret-patient", rows[2]], "item": [table["item"][0], "applle"], "score": [1, 2]})])
    with pytest.raises(DataError) as caught:
        _imported(table, tmp_path / "scores.csv", config)
    told, lines = str(caught.value), len(table)
    for words in (f"1 prediction of a row that is not in the data set, first in line {lines}",
                  f"1 prediction of an item that is not in the data set, first in line {lines + 1} 'applle'",
                  f"1 prediction whose row and item stood there before, first in line {lines - 1}",
                  "2 predictions whose score is no finite number, first in line 7",
                  f"1 of {len(rows)} test rows have no prediction", f"1 of {len(rows)} test rows lack items"):
        assert words in told, told
    assert "secret-patient" not in told and not any(f"{row}" in told for row in rows if len(row) > 3)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("content", "words"), [
    ("", "neither CSV"), ("row,itm,score\n", "no column 'item'; did you mean 'itm'"),
    ('row,item,score\n"a,b\n', "neither CSV")])
def test_a_file_of_another_form_is_told(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        Predictions.read("Outside", path)
    assert words in str(caught.value)


def test_a_missing_file_a_false_parquet_and_the_name_of_a_model_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere.csv: cannot be read"):
        Predictions.read("Outside", tmp_path / "nowhere.csv")
    (tmp_path / "false.parquet").write_text("row,item,score\n")
    with pytest.raises(DataError, match="neither CSV"):
        Predictions.read("Outside", tmp_path / "false.parquet")
    with pytest.raises(ConfigError, match="is a model of this program"):
        Predictions.read("MoEOnly", tmp_path / "nowhere.csv")


def test_only_probabilities_are_judged_by_a_stated_probability(visit_config: Config, tmp_path: Path) -> None:
    config = visit_config("VisitLR", **SMALL)
    table = _exported(run_config(config, runs_dir=tmp_path), config)
    sure = table.assign(score=1 / (1 + (-table["score"]).map(lambda value: 2.718281828459045 ** value)))
    SMALL_FIXED = {**SMALL, "set_threshold": .5, "data_path": str(config.dataset_folder.parent)}
    for name, scores in (("sure", sure), ("plain", table)):
        path = tmp_path / f"{name}.csv"
        scores.to_csv(path, index=False)
        read = Predictions.read("Outside", path)
        asked = read.config(config.dataset, config.split, overrides=SMALL_FIXED)
        if name == "sure":
            found = run_config(asked, runs_dir=tmp_path / "runs", predictions=read).record
            assert found["evaluation"]["threshold"] == .5
        else:
            with pytest.raises(ConfigError, match="set_threshold: 0.5 is a probability"):
                run_config(asked, runs_dir=tmp_path / "runs", predictions=read)


def test_there_is_no_model_to_load(food_config: Config, tmp_path: Path) -> None:
    config = food_config("Pop", "warm", **SMALL)
    table = _exported(run_config(config, runs_dir=tmp_path), config, ("test",))
    with pytest.raises(CheckpointError, match="imported predictions of Outside, and no model"):
        load(_imported(table, tmp_path / "scores.csv", config).folder)
