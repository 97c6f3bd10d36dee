"""Published protocols as a layer of the configuration."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recbole_medmoe.config.known import data_keys
from recbole_medmoe.config.loading import read_yaml
from recbole_medmoe.config.protocols import protocol_names
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.paths import properties_dir


def test_a_protocol_wins_over_the_task_and_tells_where_a_value_comes_from(visit_config: Callable[..., Any]) -> None:
    config = visit_config("VisitPop", protocol="leader")
    assert (config["target_visits"], config["set_threshold"], config["rounds"]) == ("last", .3, 10)
    assert config.origins["set_threshold"] == "properties/protocol/leader.yaml"


def test_the_user_wins_over_a_protocol(visit_config: Callable[..., Any]) -> None:
    assert visit_config("VisitPop", protocol="leader", set_threshold=.16)["set_threshold"] == .16


def test_keys_that_no_source_states_must_be_given(visit_config: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        visit_config("VisitPop", protocol="dream", rounds=0)
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["target_visits", "set_threshold"]
    assert "does not state it (properties/protocol/dream.yaml); give --target_visits=..." in caught.value.faults[0]


def test_once_they_are_given_the_protocol_stands(visit_config: Callable[..., Any]) -> None:
    config = visit_config("VisitPop", protocol="dream", rounds=0, target_visits="all", set_threshold="tuned")
    assert (config["valid_metric"], config.split) == ("Jaccard", "patient")


def test_a_wrong_name_gets_the_nearest(visit_config: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="no protocol 'leder'; did you mean 'leader'"):
        visit_config("VisitPop", protocol="leder")


def test_a_protocol_is_for_medication(food_config: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="protocol = 'leader' .* it is for task medication"):
        food_config("Pop", protocol="leader", metrics=["Recall"], valid_metric="Recall@5", topk=[5])


def test_a_stored_configuration_gives_the_same_again(visit_config: Callable[..., Any]) -> None:
    config = visit_config("VisitPop", protocol="leader", set_threshold=.16)
    known = {key: value for key, value in config.resolved().items() if key not in ("model", "dataset")}
    assert visit_config("VisitPop", **known).resolved() == config.resolved()


@pytest.mark.parametrize("name", protocol_names())
def test_the_keys_of_a_protocol_are_keys_of_a_run(name: str) -> None:
    known = read_yaml(properties_dir() / "protocol" / f"{name}.yaml").values
    assert set(known) == {"data", "run"} and set(known["run"]) <= data_keys()
