"""Composition with RecBole's trainer classes, and settings that are refused."""
from __future__ import annotations

from typing import Any

import pytest
import recbole.trainer
from recbole.model.general_recommender import BPR

from recbole_medmoe.errors import ConfigError
from recbole_medmoe.trainer import MedTrainerMixin, compose
from recbole_medmoe.trainer.loop import MedLoop

SPECIAL = ["Trainer", "KGTrainer", "KGATTrainer", "PretrainTrainer", "S3RecTrainer", "MKRTrainer",
           "TraditionalTrainer", "RaCTTrainer", "RecVAETrainer", "NCLTrainer"]


@pytest.mark.parametrize("name", SPECIAL)
def test_every_trainer_of_recbole_composes(name: str) -> None:
    base = getattr(recbole.trainer, name)
    composed = compose(base)
    order = composed.__mro__
    assert composed is compose(base) and composed.__name__ == f"Med{name}"
    assert order.index(MedTrainerMixin) < order.index(MedLoop) < order.index(recbole.trainer.Trainer)
    assert base is recbole.trainer.Trainer or order.index(base) < order.index(MedLoop)


class NCL(BPR):
    """Gets RecBole's NCLTrainer by its name: a clustering step before each epoch, and a loss in parts."""

    clustered = 0

    def e_step(self) -> None:
        """The clustering step."""
        self.clustered += 1

    def calculate_loss(self, interaction: Any) -> Any:
        """BPR loss and a second part that is dropped during warm-up."""
        loss = super().calculate_loss(interaction)
        return loss, loss * 0.5


def test_a_trainer_with_a_fit_of_its_own_keeps_best_weights_in_memory(build: Any) -> None:
    built = build(NCL, m_step=1, warm_up_step=1)
    built.trainer.fit(built.train, built.valid)
    assert type(built.trainer).__name__ == "MedNCLTrainer"
    assert built.model.clustered == 3
    assert [len(epoch["losses"]) for epoch in built.trainer.history] == [1, 2, 2]
    assert built.trainer.best_epoch is not None


def test_a_traditional_model_trains_one_epoch(build: Any) -> None:
    built = build("ItemKNN", epochs=7)
    built.trainer.fit(built.train, built.valid)
    assert len(built.trainer.history) == 1
    assert set(built.trainer.best.other) == {"w", "pred_mat"}


def faults_of(build: Any, name: Any, **settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        build(name, **settings)
    return str(caught.value)


def test_settings_that_a_special_trainer_would_ignore_are_refused(build: Any) -> None:
    message = faults_of(build, NCL, precision="bf16", gradient_accumulation_steps=2, warmup_steps=3,
                        lr_schedule="cosine")
    for key in ("precision", "gradient_accumulation_steps", "warmup_steps", "lr_schedule"):
        assert f"- {key}: NCL is trained by RecBole's NCLTrainer" in message


def test_an_unknown_learner_is_refused_instead_of_becoming_adam(build: Any) -> None:
    assert "learner: 'adamm' is no optimiser; did you mean 'adam'" in faults_of(build, "BPR", learner="adamm")


def test_an_unknown_precision_is_refused(build: Any) -> None:
    assert "precision: 'fp16' is neither 'no' nor 'bf16'" in faults_of(build, "BPR", precision="fp16")


def test_recboles_own_mixed_precision_and_trackers_are_refused(build: Any) -> None:
    message = faults_of(build, "BPR", enable_amp=True, log_wandb=True)
    assert "use precision: bf16" in message and "log.jsonl" in message


def test_a_stage_that_hands_over_through_a_pickle_is_refused(build: Any) -> None:
    message = faults_of(build, "RaCT", train_stage="actor_pretrain")
    assert "train_stage: 'actor_pretrain' of RaCT" in message and "only 'finetune'" in message
