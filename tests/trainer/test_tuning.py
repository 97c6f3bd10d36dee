"""TuningTrainer: the head alone, then the whole, each with its own optimiser; the best of both is kept."""
from __future__ import annotations

from typing import Any

import pytest
import torch
from recbole.model.general_recommender import BPR

from recbole_medmoe.trainer.tuning import TuningTrainer

SETTINGS = {"embedding_size": 8, "head_epochs": 3, "epochs": 2, "learning_rate": 0.05,
            "learner": "sgd"}


class Tuned(BPR):
    """Its item vectors are learned only while it is tuned."""

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.switched: list[bool] = []

    def tune(self, on: bool) -> None:
        """Notes the switch."""
        self.switched.append(on)
        self.item_embedding.weight.requires_grad_(on)


class Harmed(Tuned):
    """Ranks the wrong way round while it is tuned."""

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        """Scores, or their negatives."""
        return super().full_sort_predict(interaction) * (-1 if self.switched[-1] else 1)


def _trained(build: Any, **changes: Any) -> tuple[Any, TuningTrainer]:
    built = build(Tuned, **{**SETTINGS, **changes})
    trainer = TuningTrainer(built.config, built.model)
    trainer.fit(built.train, built.valid)
    return built, trainer


def test_the_head_comes_first_and_epochs_count_through(build: Any) -> None:
    built, trainer = _trained(build)
    assert built.model.switched == [False, True]
    told = [(epoch["epoch"], epoch["stage"]) for epoch in trainer.history]
    assert told == [(0, "head"), (1, "head"), (2, "head"), (3, "tuning"), (4, "tuning")]


def test_what_is_tuned_does_not_move_in_the_first_stage(build: Any) -> None:
    built = build(Tuned, **SETTINGS)
    trainer, start = TuningTrainer(built.config, built.model), built.model.item_embedding.weight.detach().clone()
    moved: list[bool] = []
    trainer.fit(built.train, built.valid, callback_fn=lambda epoch, score: moved.append(
        not torch.equal(built.model.item_embedding.weight, start)))
    assert moved == [False] * 3 + [True] * 2


def test_no_head_epochs_leave_only_the_tuning(build: Any) -> None:
    built, trainer = _trained(build, head_epochs=0)
    assert built.model.switched == [True] and [epoch["stage"] for epoch in trainer.history] == ["tuning"] * 2


def test_tuning_that_does_harm_is_not_kept(build: Any) -> None:
    built = build(Harmed, **SETTINGS)
    trainer = TuningTrainer(built.config, built.model)
    trainer.fit(built.train, built.valid)
    assert trainer.best_epoch is not None and trainer.best_epoch < 3
    assert trainer.best_valid_score == max(epoch["valid_score"] for epoch in trainer.history)
    assert torch.equal(built.model.item_embedding.weight, trainer.best.state["item_embedding.weight"])


def test_each_stage_stops_early_by_itself(build: Any) -> None:
    _, trainer = _trained(build, head_epochs=30, epochs=30, stopping_step=1, learner="adam", learning_rate=0.1)
    stages = [epoch["stage"] for epoch in trainer.history]
    assert 0 < stages.count("head") < 30 and 0 < stages.count("tuning") < 30


def test_a_schedule_spans_its_stage(build: Any) -> None:
    _, trainer = _trained(build, lr_schedule="linear")
    tuning = [epoch["learning_rate"] for epoch in trainer.history if epoch["stage"] == "tuning"]
    assert tuning == pytest.approx([0.05, 0.025])


@pytest.mark.parametrize(("own", "rates"), [(0.5, [0.5] * 3 + [0.05] * 2), (None, [0.05] * 5)])
def test_the_head_has_a_step_size_of_its_own(build: Any, own: float | None, rates: list[float]) -> None:
    _, trainer = _trained(build, head_learning_rate=own)
    assert [epoch["learning_rate"] for epoch in trainer.history] == pytest.approx(rates)
