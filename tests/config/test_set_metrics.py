"""Metrics of medication sets and the task that they belong to."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recbole_medmoe.errors import ConfigError


def _faults(call: Callable[[], Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    return "\n".join(caught.value.faults)


def test_another_task_does_not_have_them(food_config: Callable[..., Any]) -> None:
    told = _faults(lambda: food_config("Pop", metrics=["Recall", "PRAUC"]))
    assert "PRAUC need task: medication" in told


def test_the_task_has_them_and_ranking_metrics_only(visit_config: Callable[..., Any]) -> None:
    assert "GiniIndex are not offered" in _faults(lambda: visit_config("VisitPop", metrics=["PRAUC", "GiniIndex"]))
    assert visit_config("VisitPop", metrics=["F1", "MAP"])["metrics"] == ["F1", "MAP"]


def test_selection_is_by_how_right_the_sets_are(visit_config: Callable[..., Any]) -> None:
    assert "does not say how right" in _faults(lambda: visit_config("VisitPop", valid_metric="SetSize"))


def test_sampled_evaluation_is_refused(visit_config: Callable[..., Any]) -> None:
    told = _faults(lambda: visit_config("VisitPop", eval_args={"split": {"RS": [1]}, "order": "RO", "group_by": "user",
                                                               "mode": "uni10"}))
    assert "write mode: full" in told


@pytest.mark.parametrize("value", [0.0, 1.0, "best", 3])
def test_a_threshold_is_tuned_or_a_probability(visit_config: Callable[..., Any], value: Any) -> None:
    assert "set_threshold" in _faults(lambda: visit_config("VisitPop", set_threshold=value))
