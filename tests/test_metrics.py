"""Metrics of our own are RecBole's to name and ours to compute."""
from __future__ import annotations

import pytest

from recbole_medmoe import compat
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.metrics import OWN_METRICS, RANK_METRICS, SET_METRICS, register

compat.apply()


def test_recbole_knows_them_once_they_are_registered() -> None:
    from recbole.evaluator import register as table

    register()
    register()
    assert {name.lower() for name in OWN_METRICS} <= set(table.metrics_dict)
    assert {name.lower() for name in SET_METRICS} <= set(table.metrics_dict)


def test_each_is_computed_by_the_full_sort_evaluation() -> None:
    from recbole_medmoe.evaluation import supports

    assert supports(OWN_METRICS)


def test_recboles_own_evaluator_refuses_them() -> None:
    from recbole.evaluator import register as table

    register()
    with pytest.raises(ConfigError, match="full ranking"):
        table.metrics_dict["listdistance"]({"topk": [5], "metric_decimal_place": 4}).calculate_metric(None)


def test_metrics_of_sets_have_no_cut_off() -> None:
    from recbole_medmoe.config.checks import has_cutoff

    register()
    assert not any(has_cutoff(name) for name in SET_METRICS) and all(has_cutoff(name) for name in OWN_METRICS)


def test_the_ranking_metrics_of_visits_are_those_with_a_value_per_row() -> None:
    from recbole_medmoe.evaluation import ROW_METRICS

    assert {name.lower() for name in RANK_METRICS} == set(ROW_METRICS)
