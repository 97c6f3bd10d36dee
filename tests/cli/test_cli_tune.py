from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest

from recbole_medmoe.cli import main

Tune = Callable[..., int]


@pytest.fixture
def tune(tiny_food: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tune:
    """``tune("--trials", "2")`` -> exit code of a search of ``ConditionLookup`` on ``tinyfood``."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str, model: str = "ConditionLookup") -> int:
        return main(["tune", "--model", model, "--dataset", "tinyfood", f"--data_path={tiny_food.parent}", *words])

    return call


def test_a_search_ends_in_a_table_and_a_file_that_run_takes(
        tune: Tune, in_process: None, tiny_food: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--trials", "3", "--split", "warm", "--seed", "1") == 0
    told = capsys.readouterr()
    assert "the best of 3 trials" in told.out and "No test row was scored" in told.out
    assert "ConditionLookup, trial 3/3: validation MAP@5" in told.err
    best = Path("runs/searches/tinyfood/warm/ConditionLookup/best.yaml")
    assert f"--config {best}" in told.out and not list(Path("runs").rglob("record.json"))
    assert main(["--model", "ConditionLookup", "--dataset", "tinyfood", "--split", "warm", "--config", str(best)]) == 0
    record = json.loads(next(Path("runs").rglob("record.json")).read_text())
    assert record["training"]["search"]["trials"] == 3


def test_every_model_gets_the_whole_budget_and_one_that_has_nothing_to_set_none(
        tune: Tune, in_process: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--trials", "2", "--out", "found", model="ConditionLookup,BowRidge,Pop") == 0
    told = capsys.readouterr()
    assert told.out.count("the best of 2 trials") == 2 and "Pop has nothing to search" in told.err
    assert sorted(path.name for path in Path("found").iterdir()) == ["BowRidge", "ConditionLookup"]


def test_it_goes_on_with_resume(tune: Tune, in_process: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--trials", "1") == 0
    assert tune("--trials", "3") == 2 and "--resume goes on with it" in capsys.readouterr().err
    assert tune("--trials", "3", "--resume") == 0
    told = capsys.readouterr()
    assert "1 trials were done before" in told.err and "trial 1/3" not in told.err and "the best of 3" in told.out


@pytest.mark.parametrize(("words", "messages"), [
    (["--trials", "0", "--minutes", "-1", "--algorithm", "tqe", "--smoothin=1"],
     ["--trials 0", "--minutes -1", "did you mean 'tpe'?", "unknown key 'smoothin'"]),
    (["--split", "folds"], ["name a fold"]),
    (["--space", "nowhere.yaml"], ["'nowhere.yaml' can not be read"]), (["--trails", "3"], ["did you mean '--trials'"]),
    (["--engine", "dusk"], ["--engine dusk"])])
def test_wrong_options_are_told_at_once_and_nothing_runs(
        tune: Tune, words: list[str], messages: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune(*words) == 2
    told = capsys.readouterr().err
    assert all(message in told for message in messages), told
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_a_space_is_told_with_the_remedy(tune: Tune, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--split", "warm", model="NGCF") == 2
    assert "model 'NGCF' has no search space" in capsys.readouterr().err


def test_a_search_without_a_finished_trial_tells_why_and_ends_with_one(
        tune: Tune, in_process: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("space.yaml").write_text("learning_rate: {choice: [1.0e+30, 1.0e+31]}\n")
    assert tune("--space", "space.yaml", "--algorithm", "exhaustive", "--device=cpu", model="MoEOnly") == 1
    told = capsys.readouterr().out
    assert "2 failed" in told and told.count("its weights diverged; lower learning_rate") == 2
    assert "no trial finished" in told and not list(Path("runs").rglob("best.yaml"))
