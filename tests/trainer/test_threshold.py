"""The threshold of medication sets: fixed once, on validation, before test visits are scored."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from recbole_medmoe.errors import ConfigError, TrainingError
from recbole_medmoe.evaluation import set_evaluator
from recbole_medmoe.trainer import build_trainer
from recbole_medmoe.trainer.threshold import fixed_threshold, score_scale


@pytest.fixture
def parts(visit_data: Callable[..., Any]) -> Callable[..., tuple[Any, Any, Any]]:
    """``parts("VisitPop")`` -> trainer, validation and test loader."""

    def make(model: str, **keys: Any) -> tuple[Any, Any, Any]:
        config, train, valid, test = visit_data(model, device="cpu", epochs=2, **keys)
        built = config.spec.load()(config, train._dataset)
        trainer = build_trainer(config, built)
        trainer.fit(train, valid)
        return trainer, valid, test

    return make


def test_test_visits_are_not_scored_before_the_threshold_is_fixed(parts: Any) -> None:
    trainer, _, test = parts("VisitPop")
    with pytest.raises(TrainingError, match="choose_threshold"):
        trainer.evaluate_rows(test, "test")


def test_the_threshold_is_tuned_on_validation_and_then_kept_for_test(parts: Any) -> None:
    trainer, valid, test = parts("VisitPop")
    chosen = trainer.choose_threshold(valid)
    assert trainer.evaluate_rows(valid, "valid").threshold == chosen
    assert trainer.evaluate_rows(test, "test").threshold == chosen == trainer.threshold


def test_no_test_label_reaches_a_metric_before_selection_ends(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []

    def spy(name: str) -> None:
        own = getattr(set_evaluator, name)

        def noted(first: Any, truth: Any, *others: Any) -> Any:
            seen.append((truth.sum(axis=1) if truth.ndim == 2 else truth).tolist())
            return own(first, truth, *others)

        monkeypatch.setattr(set_evaluator, name, noted)

    # all that an evaluation of sets hands labels to
    for name in ("set_columns", "rank_metrics", "tune_threshold", "threshold_curve"):
        spy(name)
    trainer, valid, test = parts("VisitLR")
    trainer.choose_threshold(valid)
    sizes = [[len(items) for items in loader.uid2positive_item[loader.uid_list.numpy()]] for loader in (valid, test)]
    # Four calls for each of validation in training and choice of the threshold.
    assert sizes[0] != sizes[1] and len(seen) >= 8 and all(found == sizes[0] for found in seen)
    before = len(seen)
    trainer.evaluate_rows(test, "test")
    assert len(seen) > before and all(found == sizes[1] for found in seen[before:])


def test_a_fixed_threshold_is_a_probability_in_units_of_the_scores(parts: Any) -> None:
    trainer, valid, _ = parts("VisitPop", set_threshold=.3)
    assert torch.sigmoid(torch.tensor(trainer.choose_threshold(valid))).item() == pytest.approx(.3)


def test_context_models_of_recbole_give_probabilities() -> None:
    from recbole.model.context_aware_recommender import FM

    assert score_scale(FM) == "probability"
    assert fixed_threshold(.3, object.__new__(FM)) == .3


def test_a_model_that_only_ranks_takes_no_fixed_threshold(visit_config: Callable[..., Any]) -> None:
    from recbole.model.general_recommender import BPR

    config = visit_config("BPR", device="cpu", set_threshold=.3)
    with pytest.raises(ConfigError, match="set_threshold: 0.3 is a probability, and the scores of BPR are none"):
        build_trainer(config, object.__new__(BPR))
    with pytest.raises(ValueError, match="no probabilities"):
        fixed_threshold(.3, object.__new__(BPR))
