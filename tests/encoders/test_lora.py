"""add_lora: adapters that change nothing yet and alone are trained."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.encoders.lora import LoraSpec, add_lora
from recbole_medmoe.errors import ConfigError

SPEC = LoraSpec(2, 4.0, 0.0, ("q_proj", "mlp.up_proj"))
IDS = torch.arange(6).unsqueeze(0)


def _model(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    return load_backbone(folder, torch.device("cpu"), dtype)[1]


def test_new_adapters_change_nothing(tiny_llama: Path) -> None:
    model = _model(tiny_llama)
    before = model(input_ids=IDS).last_hidden_state
    add_lora(model, SPEC)
    assert torch.equal(model(input_ids=IDS).last_hidden_state, before)


def test_adapters_alone_are_trained_in_the_maps_that_were_named(tiny_llama: Path) -> None:
    model = _model(tiny_llama)
    add_lora(model, SPEC)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(trained) == 2 * 2 * 2 and all(".lora_" in name for name in trained)
    assert {name.split(".")[3] for name in trained} == {"q_proj", "up_proj"}


def test_adapters_are_float32_also_in_a_bfloat16_backbone(tiny_llama: Path) -> None:
    model = _model(tiny_llama, torch.bfloat16)
    add_lora(model, SPEC)
    kinds = {weight.requires_grad: weight.dtype for weight in model.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}


@pytest.mark.parametrize("target", ["query", "proj", "q_pro"])
def test_a_target_that_matches_nothing_is_refused_with_what_there_is(tiny_llama: Path, target: str) -> None:
    with pytest.raises(ConfigError, match=rf"lora_targets \['{target}'\].*down_proj, gate_proj, k_proj, o_proj"):
        add_lora(_model(tiny_llama), LoraSpec(2, 4.0, 0.0, ("q_proj", target)))
