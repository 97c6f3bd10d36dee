"""EnsembleTrainer: each member as if it were alone."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.errors import TrainingError
from recbole_medmoe.quick_start import load, run
from recbole_medmoe.trainer import build_trainer
from recbole_medmoe.trainer.ensemble import EnsembleTrainer

Maker = Callable[..., Any]
PATIENT = {"text": "Patient with gout.", "age": 61, "sex": "male", "bmi": 24.0, "conditions": ["gout"], "medicines": []}


@pytest.fixture
def trained(tiny_food: Path, tmp_path: Path) -> Maker:
    """``trained("LLMOnly", 3)`` -> the result of a run with that seed."""

    def make(name: str, seed: int = 3, **overrides: Any) -> Any:
        return run(name, "tinyfood", seed=seed, runs_dir=tmp_path / "runs",
                   overrides={"data_path": str(tiny_food.parent), "epochs": 8, "stopping_step": 2, **overrides})

    return make


@pytest.fixture
def fitted(food_data: Maker) -> Maker:
    """``fitted("LLMPair")`` -> a trainer that is done, and its loaders."""

    def make(name: str, **overrides: Any) -> tuple[Any, Any, Any, Any]:
        config, train, valid, test = food_data(name, **{"epochs": 3, **overrides})
        trainer = build_trainer(config, config.spec.load()(config, train._dataset))
        trainer.told = trainer.fit(train, valid)
        return trainer, train, valid, test

    return make


def _equal(one: Any, other: Any) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def test_the_halves_have_the_weights_of_the_models_trained_alone(trained: Maker) -> None:
    members = trained("HalvesAverage").model.members
    assert _equal(members["moe"], trained("MoEOnly").model) and _equal(members["llm"], trained("LLMOnly").model)


def test_the_pair_has_the_weights_of_two_runs_with_different_seeds(trained: Maker) -> None:
    members = trained("LLMPair", seed_step=5).model.members
    one, other = trained("LLMOnly", 3).model, trained("LLMOnly", 8).model
    assert _equal(members["first"], one) and _equal(members["second"], other) and not _equal(one, other)


def test_the_table_names_it_and_its_members_get_the_usual_trainer(fitted: Maker) -> None:
    trainer, _, _, _ = fitted("LLMPair")
    assert type(trainer) is EnsembleTrainer
    assert type(build_trainer(trainer.config, trainer.model.members["first"])).__name__ == "MedTrainer"


def test_the_history_names_the_member_of_each_epoch(fitted: Maker) -> None:
    trainer, _, _, _ = fitted("HalvesAverage")
    assert [(epoch["member"], epoch["epoch"]) for epoch in trainer.history] == [
        (name, epoch) for name in ("moe", "llm") for epoch in range(3)]
    assert trainer.best_epoch is None


def test_each_member_stops_early_by_itself_and_keeps_its_best_epoch(fitted: Maker) -> None:
    trainer, train, valid, _ = fitted("HalvesAverage", epochs=60, stopping_step=1, learning_rate=0.3)
    for name, member in trainer.model.members.items():
        scores = [epoch["valid_score"] for epoch in trainer.history if epoch["member"] == name]
        alone = build_trainer(trainer.config, member)
        alone.eval_collector.data_collect(train)
        assert len(scores) < 60
        assert alone.evaluate(valid)[trainer.config["valid_metric"].lower()] == max(scores)


def test_fit_gives_the_validation_score_of_the_whole(fitted: Maker) -> None:
    trainer, _, valid, _ = fitted("LLMPair")
    score, metrics = trainer.told
    assert metrics == trainer.evaluate(valid) and score == metrics[trainer.config["valid_metric"].lower()]


def test_the_best_weights_are_in_memory_and_come_back(fitted: Maker) -> None:
    trainer, _, valid, _ = fitted("LLMPair")
    before = trainer.evaluate(valid)
    for parameter in trainer.model.parameters():
        parameter.data.zero_()
    assert trainer.evaluate(valid, load_best_model=True) == before


def test_no_test_row_is_scored_while_it_fits(fitted: Maker) -> None:
    trainer, _, _, test = fitted("LLMPair")
    assert trainer.test_scored == 0
    trainer.evaluate(test)
    assert trainer.test_scored == 1


def test_it_fits_without_validation_rows(food_data: Maker) -> None:
    config, train, _, _ = food_data("LLMPair", epochs=2)
    trainer = build_trainer(config, config.spec.load()(config, train._dataset))
    assert trainer.fit(train)[1] is None and len(trainer.history) == 4


def test_weights_that_diverge_name_the_member(food_data: Maker) -> None:
    config, train, valid, _ = food_data("HalvesAverage", learning_rate=1e30)
    trainer = build_trainer(config, config.spec.load()(config, train._dataset))
    with pytest.raises(TrainingError, match="member 'moe': .*lower learning_rate"):
        trainer.fit(train, valid)


def test_a_run_folder_scores_new_patients_by_the_mean_of_its_members(trained: Maker) -> None:
    result = trained("HalvesAverage", text_encoder="minilm-l6")
    scored = load(result.folder)
    assert _equal(scored.model, result.model)
    assert set(scored.keys) == set(PATIENT)
    users = {request.name: (torch.zeros(2, scored.model.widths[request.key]), torch.tensor([True, False]))
             for request in scored.model.requests if request.side == "user"}
    members = [member.score_features(users) for member in scored.model.members.values()]
    assert torch.allclose(scored.model.score_features(users), (members[0] + members[1]) / 2)
