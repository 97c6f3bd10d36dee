"""MoLoraConfig: options and patterns that do not fit are refused, all at once, with what there is."""
from __future__ import annotations

from typing import Any

import pytest

from recbole_medmoe.encoders import MoLoraConfig
from recbole_medmoe.encoders.molora_config import matches
from recbole_medmoe.errors import ConfigError

NAMES = ["layers.0.attn.q_proj", "layers.0.mlp.up_proj", "layers.1.mlp.up_proj"]


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        MoLoraConfig(num_experts=2, top_k=3, lora_dropout=1.5)
    assert [fault.split(":")[0] for fault in told.value.faults] == ["MoLoraConfig"] * 3
    assert "top_k 3 is above num_experts 2" in told.value.faults[0] and "target_modules" in told.value.faults[2]


def test_one_expert_per_token_needs_weights_that_give_the_router_a_gradient() -> None:
    with pytest.raises(ConfigError, match="gives the router no gradient; take gate 'all'"):
        MoLoraConfig(top_k=1, target_modules=["up_proj"])
    assert MoLoraConfig(top_k=1, gate="all", target_modules=["up_proj"]).spec(True).gate == "all"


def test_maps_without_experts_get_plain_lora_of_the_same_rank_and_scale() -> None:
    spec = MoLoraConfig(r=4, lora_alpha=10.0, use_rslora=True, shared_expert=True, target_modules="x").spec(False)
    assert (spec.num_experts, spec.r, spec.alpha, spec.rslora, spec.shared_expert) == (1, 4, 10.0, True, False)


@pytest.mark.parametrize(("patterns", "taken"), [
    (["up_proj"], NAMES[1:]), (["0.mlp.up_proj"], NAMES[1:2]), (["proj"], []), (r".*\.1\..*", NAMES[2:]),
    ("up_proj", [])], ids=str)
def test_patterns_match_as_in_peft(patterns: Any, taken: list[str]) -> None:
    assert [name for name in NAMES if matches(patterns, name)] == taken


def test_patterns_that_match_nothing_are_told_with_what_there_is() -> None:
    config = MoLoraConfig(target_modules=["up_proj", "down_proj"], expert_modules=["q_proj"])
    with pytest.raises(ConfigError) as told:
        config.check_names(NAMES)
    assert told.value.faults == [
        "target_modules ['down_proj']: matches nothing; the backbone's linear maps are called q_proj, up_proj",
        "expert_modules ['q_proj']: matches nothing; target_modules has up_proj"]


def test_a_pattern_that_is_no_regular_expression_is_told() -> None:
    with pytest.raises(ConfigError, match=r"'\*up' is not a regular expression"):
        MoLoraConfig(target_modules="*up").check_names(NAMES)
