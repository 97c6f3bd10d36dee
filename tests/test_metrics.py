"""Metrics of our own are RecBole's to name and ours to compute."""
from __future__ import annotations

import pytest

from recbole_medmoe import compat
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.metrics import OWN_METRICS, register

compat.apply()


def test_recbole_knows_them_once_they_are_registered() -> None:
    from recbole.evaluator import register as table

    register()
    register()
    assert {name.lower() for name in OWN_METRICS} <= set(table.metrics_dict)


def test_each_is_computed_by_the_full_sort_evaluation() -> None:
    from recbole_medmoe.evaluation import supports

    assert supports(OWN_METRICS)


def test_recboles_own_evaluator_refuses_them() -> None:
    from recbole.evaluator import register as table

    register()
    with pytest.raises(ConfigError, match="full ranking"):
        table.metrics_dict["listdistance"]({"topk": [5], "metric_decimal_place": 4}).calculate_metric(None)
