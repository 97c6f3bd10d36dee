"""What task choice takes and refuses."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recbole_medmoe.errors import ConfigError

FULL = {"split": {"RS": [1]}, "order": "RO", "group_by": "user"}


def _faults(call: Callable[[], Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    return "\n".join(caught.value.faults)


def test_the_task_chooses_by_accuracy(choice_config: Callable[..., Any]) -> None:
    config = choice_config("OptionPosition")
    assert config["valid_metric"] == "Accuracy" and config["metrics"][0] == "Accuracy" and config.split == "question"


def test_metrics_of_choices_need_the_task(food_config: Callable[..., Any]) -> None:
    assert "Accuracy need task: choice" in _faults(lambda: food_config("Pop", metrics=["Recall", "Accuracy"]))


@pytest.mark.parametrize(("keys", "rule"), [
    ({"metrics": ["Accuracy", "PRAUC"]}, "PRAUC need task: medication"),
    ({"metrics": ["Accuracy", "GiniIndex"]}, "GiniIndex are not offered for task choice"),
    ({"valid_metric": "BlindAccuracy"}, "does not say how right the choices are; valid: Accuracy, MacroAccuracy"),
    ({"eval_args": {**FULL, "mode": "uni10"}}, "task choice scores every option of every question; write mode: full"),
    ({"target_visits": "last"}, "it is for task medication")])
def test_what_does_not_fit_is_refused(choice_config: Callable[..., Any], keys: dict[str, Any], rule: str) -> None:
    assert rule in _faults(lambda: choice_config("OptionPosition", **keys))


def test_popular_negatives_are_refused(choice_config: Callable[..., Any]) -> None:
    keys = {"distribution": "popularity", "sample_num": 1}
    told = _faults(lambda: choice_config("DeepFM", train_neg_sample_args=keys))
    assert "the question's own wrong options; write distribution: uniform" in told
