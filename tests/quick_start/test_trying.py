from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from recbole_medmoe.config import MedConfig
from recbole_medmoe.errors import ConfigError, TrainingError
from recbole_medmoe.quick_start.record import config_sha256
from recbole_medmoe.quick_start.running import run_config
from recbole_medmoe.quick_start.trying import try_config
from recbole_medmoe.trainer.mixin import MedTrainerMixin

Config = Callable[..., MedConfig]
SMALL = {"epochs": 3, "device": "cpu", "bootstrap_draws": 100}


@pytest.fixture
def phases(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The part of every loader that was scored."""
    seen: list[str] = []
    evaluate = MedTrainerMixin.evaluate_rows

    def spying(trainer: Any, loader: Any, phase: str | None = None, show_progress: bool = False) -> Any:
        seen.append(phase or loader._sampler.phase)
        return evaluate(trainer, loader, phase, show_progress)

    monkeypatch.setattr(MedTrainerMixin, "evaluate_rows", spying)
    return seen


@pytest.mark.parametrize("model", ["MoEOnly", "Pop", "BPR", "HalvesAverage"])
def test_no_test_row_is_scored_and_nothing_is_left(
        food_config: Config, phases: list[str], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tried = try_config(food_config(model, "warm", **SMALL))
    assert set(phases) == {"valid"} and tried.test_scored == 0 and tried.score == tried.valid["map@5"]
    assert list(tmp_path.iterdir()) == []


def test_medication_sets_are_judged_on_validation_alone(visit_config: Config, phases: list[str]) -> None:
    tried = try_config(visit_config("RETAIN", **SMALL))
    assert set(phases) == {"valid"} and tried.score == tried.valid["prauc"] and len(tried.curve) == 3


def test_other_test_rows_change_nothing(own_food: Path) -> None:
    keys = {"data_path": str(own_food.parent), **SMALL}
    before = try_config(MedConfig("MoEOnly", "tinyfood", split="warm", overrides=keys))
    path = own_food / "tinyfood.warm.test.inter"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[::2]]) + "\n")
    after = try_config(MedConfig("MoEOnly", "tinyfood", split="warm", overrides=keys))
    assert (before.curve, before.valid) == (after.curve, after.valid)


def test_a_run_of_the_same_configuration_has_the_same_validation(food_config: Config, tmp_path: Path) -> None:
    tried = try_config(food_config("MoEOnly", "warm", **SMALL))
    record = run_config(food_config("MoEOnly", "warm", **SMALL), runs_dir=tmp_path).record
    assert record["training"]["valid"] == tried.valid and record["training"]["best_epoch"] == tried.best_epoch
    assert record["training"]["search"] is None


def test_what_a_search_found_is_in_the_record_and_its_time_makes_no_other_run(
        food_config: Config, tmp_path: Path) -> None:
    searched = {"algorithm": "tpe", "seed": 0, "parallel": 1, "trials": 20, "finished": 15, "stopped": 4, "failed": 1,
                "minutes": None, "seconds": 12.5, "metric": "map@5", "score": .4, "space_sha256": "0" * 64}
    first, second = (run_config(food_config("Pop", "warm", search={**searched, "seconds": seconds}),
                                runs_dir=tmp_path).record for seconds in (12.5, 13.0))
    plain = run_config(food_config("Pop", "warm"), runs_dir=tmp_path).record
    assert first["training"]["search"] == searched and plain["model"]["config"].get("search") is None
    assert config_sha256(plain["model"]["config"]) == config_sha256({**plain["model"]["config"], "search": None})
    assert first["model"]["config_sha256"] == second["model"]["config_sha256"] != plain["model"]["config_sha256"]


def test_it_is_given_up_when_asked(food_config: Config) -> None:
    seen: list[int] = []
    tried = try_config(food_config("MoEOnly", "warm", **{**SMALL, "epochs": 9}),
                       lambda curve: seen.append(len(curve)) is None and len(curve) == 2)
    assert seen == [1, 2] and tried.is_stopped and tried.epochs == 2
    assert tried.score == max(score for _, score in tried.curve) == tried.valid["map@5"]


def test_of_an_ensemble_only_the_first_member_is_watched(food_config: Config) -> None:
    seen: list[int] = []
    keys = {**SMALL, "epochs": 2}
    tried = try_config(food_config("HalvesAverage", "warm", **keys), lambda curve: seen.append(len(curve)) is not None)
    assert seen == [1, 2] and tried.epochs == 4 and not tried.is_stopped
    given_up = try_config(food_config("HalvesAverage", "warm", **keys), lambda curve: len(curve) == 1)
    assert given_up.is_stopped and given_up.score == given_up.curve[0][1] == tried.curve[0][1]


def test_weights_that_diverge_and_a_wrong_split_are_told(food_config: Config) -> None:
    with pytest.raises(TrainingError, match="weights diverged"):
        try_config(food_config("MoEOnly", "warm", **SMALL, learning_rate=1e30))
    with pytest.raises(ConfigError, match="EASE: knows users only by their ids"):
        try_config(food_config("EASE", "cold_patient"))
