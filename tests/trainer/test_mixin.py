"""What fit and evaluate promise: best weights in memory, rows, one message per fault, no files."""
from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np
import pytest
import torch
from recbole.model.general_recommender import BPR

from recbole_medmoe.errors import CheckpointError, TrainingError


class Breaks(BPR):
    """Its loss becomes NaN at the second step of the third epoch."""

    steps = 0

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        """NaN from the tenth step on."""
        self.steps += 1
        loss = super().calculate_loss(interaction)
        return loss * float("nan") if self.steps == 10 else loss


class Swells(BPR):
    """Needs more memory than there is."""

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        """Asks for 4 EiB."""
        return torch.empty(2**60).sum()


class SwellsInScoring(BPR):
    """Scores with more memory than there is."""

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        """Asks for 4 EiB."""
        return torch.empty(2**60)


BPR_DEFAULTS = {"embedding_size": 8}


class InOneKernel(BPR):
    """Lets the trainer fuse its optimiser's steps."""

    fused_steps = True


@pytest.mark.parametrize("learner", ["adam", "adamw"])
def test_fused_steps_equal_recboles_to_rounding(learner: str, build: Any) -> None:
    weights = []
    for kind in (BPR, InOneKernel):
        built = build(kind, learner=learner, weight_decay=0.01, embedding_size=8)
        assert bool(built.trainer.optimizer.param_groups[0]["fused"]) == (kind is InOneKernel)
        built.trainer.fit(built.train, built.valid)
        weights.append(built.model.item_embedding.weight.detach())
    assert torch.allclose(*weights, atol=1e-6)


def test_other_optimisers_are_left_as_they_are(build: Any) -> None:
    assert not build(InOneKernel, learner="sgd", embedding_size=8).trainer.optimizer.param_groups[0]["fused"]


def test_the_model_holds_the_best_weights_after_fit(build: Any) -> None:
    built = build("BPR", epochs=12, learning_rate=0.05, stopping_step=2)
    kept = {}
    built.trainer.fit(built.train, built.valid, callback_fn=lambda epoch, score: kept.update(
        {epoch: (score, built.model.item_embedding.weight.detach().clone())}))
    best = built.trainer.best_epoch
    assert kept[best][0] == max(score for score, _ in kept.values()) == built.trainer.best_valid_score
    assert best < max(kept)
    assert torch.equal(built.model.item_embedding.weight, kept[best][1])


def test_without_validation_the_last_weights_are_kept(build: Any) -> None:
    built = build("BPR")
    built.trainer.fit(built.train)
    assert built.trainer.best_epoch == 2
    assert "valid" not in built.trainer.history[-1]


def test_history_has_one_line_per_epoch(build: Any) -> None:
    built = build("BPR")
    built.trainer.fit(built.train, built.valid)
    line = built.trainer.history[1]
    assert [epoch["epoch"] for epoch in built.trainer.history] == [0, 1, 2]
    assert line["loss"] == built.trainer.train_loss_dict[1]
    assert set(line["valid"]) == {"recall@3", "recall@5", "ndcg@3", "ndcg@5"}
    assert line["valid_score"] == line["valid"]["ndcg@5"]
    assert line["seconds"] > 0 and line["valid_seconds"] > 0


def test_rows_average_to_the_metrics(build: Any) -> None:
    built = build("BPR")
    built.trainer.fit(built.train, built.valid)
    found = built.trainer.evaluate_rows(built.test)
    assert {name: pytest.approx(values.mean()) for name, values in found.columns.items()} == found.metrics
    assert built.trainer.evaluate(built.test) == found.rounded(4)


def test_metrics_that_recbole_alone_knows_have_no_rows(build: Any) -> None:
    built = build("BPR", metrics=["GAUC"], valid_metric="GAUC")
    found = built.trainer.evaluate_rows(built.test)
    assert set(found.metrics) == {"gauc"} and found.columns == {} and len(found.row_ids) == 0


def test_pooled_metrics_work_in_a_run(build: Any) -> None:
    built = build("BPR", metrics=["NDCG", "ItemCoverage", "AveragePopularity"])
    built.trainer.fit(built.train, built.valid)
    assert set(built.trainer.evaluate(built.test)) == {
        f"{name}@{k}" for name in ("ndcg", "itemcoverage", "averagepopularity") for k in (3, 5)}


def test_popularity_without_fit_names_what_is_missing(build: Any) -> None:
    built = build("BPR", metrics=["AveragePopularity"], valid_metric="AveragePopularity@5")
    with pytest.raises(TrainingError, match="data_collect"):
        built.trainer.evaluate(built.test)


@pytest.mark.parametrize("phase, given", [("valid", None), ("test", None), ("test", "valid")])
def test_candidates_of_the_loaders_phase_are_ranked(phase: str, given: str | None, build: Any) -> None:
    built = build("BPR")
    loader = getattr(built, phase)
    asked = []

    def candidates(name: str) -> torch.Tensor:
        asked.append(name)
        chosen = torch.zeros(loader._dataset.item_num, dtype=torch.bool)
        chosen[loader._dataset.inter_feat["item_id"]] = True
        return chosen

    loader._dataset.candidates = candidates
    found = built.trainer.evaluate_rows(loader, given)
    assert asked == [given or phase]
    listed = set(np.unique(found.topk_items).tolist()) - {0}
    assert listed <= set(loader._dataset.inter_feat["item_id"].tolist())


def test_a_nan_loss_names_the_step_and_keeps_the_best_weights(build: Any) -> None:
    built = build(Breaks, **BPR_DEFAULTS)
    kept = []
    with pytest.raises(TrainingError, match=r"not finite \(nan\) at step 2 of epoch 3; the model holds the weights of "
                                            r"epoch \d again. Lower learning_rate"):
        built.trainer.fit(built.train, built.valid,
                          callback_fn=lambda *args: kept.append(built.model.item_embedding.weight.detach().clone()))
    assert torch.equal(built.model.item_embedding.weight, kept[built.trainer.best_epoch])


def test_a_nan_loss_in_the_first_epoch_says_that_nothing_was_kept(build: Any) -> None:
    built = build(Breaks, **BPR_DEFAULTS)
    built.model.steps = 9
    with pytest.raises(TrainingError, match="at step 1 of epoch 1; no epoch was finished before it"):
        built.trainer.fit(built.train, built.valid)


def test_exhausted_memory_in_training_names_the_batch_size(build: Any) -> None:
    built = build(Swells, **BPR_DEFAULTS)
    with pytest.raises(TrainingError, match=r"memory ran out while training: lower train_batch_size \(now 64\)"):
        built.trainer.fit(built.train, built.valid)


def test_exhausted_memory_in_scoring_names_the_batch_size(build: Any) -> None:
    built = build(SwellsInScoring, **BPR_DEFAULTS)
    with pytest.raises(TrainingError, match=r"memory ran out while scoring: lower eval_batch_size \(now 4096\)"):
        built.trainer.evaluate(built.test)


def test_pickled_files_are_refused(build: Any) -> None:
    built = build("BPR")
    with pytest.raises(CheckpointError, match="model.pth: RecBole's .pth files are pickles"):
        built.trainer.evaluate(built.test, model_file="model.pth")
    with pytest.raises(CheckpointError, match="pickles"):
        built.trainer.resume_checkpoint("model.pth")


def test_nothing_is_written(build: Any) -> None:
    built = build("BPR")
    built.trainer.fit(built.train, built.valid, show_progress=False)
    built.trainer.evaluate(built.test)
    assert os.listdir(".") == []
    assert sorted(os.listdir("..")) == ["tiny", "work"]


@pytest.mark.parametrize(("every", "lines"), [(0.0, 3), (3600.0, 0)])
def test_epochs_of_long_trainings_are_told(every: float, lines: int, build: Any, caplog: pytest.LogCaptureFixture,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recbole_medmoe.trainer.mixin._EVERY", every)
    built = build(BPR, epochs=3, stopping_step=10)
    with caplog.at_level(logging.INFO, logger="recbole_medmoe"):
        built.trainer.fit(built.train, built.valid)
    told = [record.getMessage() for record in caplog.records if "epoch" in record.getMessage()]
    assert len(told) == lines and all("BPR: epoch" in line and "of at most 3, loss" in line for line in told)
