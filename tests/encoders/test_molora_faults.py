"""MoLoRA in peft: what would go wrong silently is refused."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from recbole_medmoe.encoders import MoLoraConfig
from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.errors import CheckpointError, ConfigError

from peft import LoraConfig, PeftModel, get_peft_model


def _base(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    return load_backbone(folder, torch.device("cpu"), dtype, head=True)[1]


def _config(**options: Any) -> MoLoraConfig:
    return MoLoraConfig(**{"r": 2, "target_modules": ["q_proj", "up_proj"], "expert_modules": ["up_proj"], **options})


@pytest.fixture
def saved(tiny_llama: Path, tmp_path: Path) -> Path:
    get_peft_model(_base(tiny_llama), _config()).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def _respell(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    path = folder / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)


def test_a_target_that_matches_nothing_lists_what_there_is(tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match=r"target_modules \['query'\]: matches nothing.*down_proj, gate_proj, k_proj"):
        get_peft_model(_base(tiny_llama), _config(target_modules=["up_proj", "query"]))


def test_a_pattern_that_takes_more_than_linear_maps_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match=r"takes model\.layers\.0\.mlp, a LlamaMLP; MoLoRA is for linear maps"):
        get_peft_model(_base(tiny_llama), _config(target_modules=r".*\.mlp(\.up_proj)?", expert_modules=None))


@pytest.mark.parametrize("call", ["merge_and_unload", "merge_adapter"])
def test_merging_is_refused(tiny_llama: Path, call: str) -> None:
    model = get_peft_model(_base(tiny_llama), _config())
    with pytest.raises(ConfigError, match="cannot be merged.*depends on the token"):
        getattr(model, call)()


@pytest.mark.parametrize("targets", [["lm_head"], ["up_proj"]])
@pytest.mark.parametrize("name", ["default", "other"])
@pytest.mark.parametrize("inside", [False, True], ids=["PeftModel", "backbone"])
def test_another_adapter_on_top_is_refused(tiny_llama: Path, targets: list[str], name: str, inside: bool) -> None:
    model = get_peft_model(_base(tiny_llama), _config())
    with pytest.raises(ConfigError, match=f"LoraConfig '{name}' cannot be put on top of MoLoRA"):
        get_peft_model(model.get_base_model() if inside else model, LoraConfig(target_modules=targets),
                       adapter_name=name)


@pytest.mark.parametrize("below", [LoraConfig(target_modules=["q_proj"]), _config()], ids=["lora", "molora"])
def test_molora_on_top_of_another_adapter_is_refused(tiny_llama: Path, below: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be put on top of another peft adapter"):
        get_peft_model(get_peft_model(_base(tiny_llama), below), _config(), adapter_name="second")


def test_an_adapter_without_its_routers_is_refused(tiny_llama: Path, saved: Path) -> None:
    _respell(saved, lambda state: {name: weight for name, weight in state.items() if ".router_" not in name})
    with pytest.raises(CheckpointError, match="4 weights are missing, routers among them, e.g. .*router_bias"):
        PeftModel.from_pretrained(_base(tiny_llama), saved)


def test_an_adapter_without_weights_is_refused(tiny_llama: Path, saved: Path) -> None:
    _respell(saved, lambda state: {})
    with pytest.raises(CheckpointError, match="holds no weights"):
        PeftModel.from_pretrained(_base(tiny_llama), saved)


def test_an_adapter_with_weights_for_a_layer_that_is_not_there_is_refused(tiny_llama: Path, saved: Path) -> None:
    _respell(saved, lambda state: state | {name.replace("layers.1.", "layers.7."): weight.clone()
                                           for name, weight in state.items() if "layers.1." in name})
    with pytest.raises(CheckpointError, match="6 have no place in it, e.g. .*layers.7"):
        PeftModel.from_pretrained(_base(tiny_llama), saved)


def test_an_adapter_of_other_shapes_is_refused(tiny_llama: Path, saved: Path) -> None:
    _respell(saved, lambda state: {name: weight[:1].clone() if name.endswith("router_bias") else weight
                                   for name, weight in state.items()})
    with pytest.raises(CheckpointError, match="2 have another shape, e.g. .*router_bias"):
        PeftModel.from_pretrained(_base(tiny_llama), saved)


def test_an_adapter_of_a_backbone_with_other_weights_is_refused(tiny_llama: Path, saved: Path) -> None:
    other = _base(tiny_llama)
    for weight in other.parameters():
        weight.data.mul_(1.05)
    with pytest.raises(CheckpointError, match="was made for a backbone of other weights than this LlamaForCausalLM"):
        PeftModel.from_pretrained(other, saved)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_same_backbone_in_another_number_format_is_taken(tiny_llama: Path, saved: Path, dtype: torch.dtype) -> None:
    PeftModel.from_pretrained(_base(tiny_llama, dtype), saved)


def test_one_configuration_serves_two_backbones(tiny_llama: Path) -> None:
    config, other = _config(), _base(tiny_llama)
    for weight in other.parameters():
        weight.data.mul_(2)
    get_peft_model(_base(tiny_llama), config)
    get_peft_model(other, config)
    assert config.base_fingerprint is None
