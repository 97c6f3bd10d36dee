"""MoLoRA in peft: every behaviour of a peft method, and where peft's private parts are."""
from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from recbole_medmoe.encoders import MoLoraConfig
from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.encoders.molora import MoLoraLinear
from recbole_medmoe.layers import collect_routing

from peft import LoraConfig, PeftModel, PeftType, get_peft_model, inject_adapter_in_model
from peft.tuners import tuners_utils

IDS = torch.arange(12).view(2, 6)
ROUTER = "layers.0.mlp.up_proj.molora_experts.default.router_weight"


def _base(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    return load_backbone(folder, torch.device("cpu"), dtype, head=True)[1]


def _config(**options: Any) -> MoLoraConfig:
    return MoLoraConfig(**{"r": 2, "target_modules": ["q_proj", "v_proj", "up_proj", "down_proj"],
                           "expert_modules": ["up_proj", "down_proj"], **options})


def _logits(model: Any) -> Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


def _trained(folder: Path, config: MoLoraConfig | None = None) -> Any:
    """A model after two steps, so that no B is zero and routers have moved."""
    torch.manual_seed(0)
    model = get_peft_model(_base(folder), config or _config())
    optimiser = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=1.0)
    for _ in range(2):
        model(input_ids=IDS, labels=IDS).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


def test_private_parts_of_peft_are_where_they_were() -> None:
    told = "peft has moved: read recbole_medmoe/encoders/molora.py against the new version"
    tuner, layer = tuners_utils.BaseTuner, tuners_utils.BaseTunerLayer
    created = list(inspect.signature(tuner._create_and_replace).parameters)[1:7]
    assert created[1:] == ["adapter_name", "target", "target_name", "parent", "current_key"], told
    assert list(inspect.signature(tuner._replace_module).parameters)[1:] == [
        "parent", "child_name", "new_module", "child"], told
    assert list(inspect.signature(layer._move_adapter_to_device_of_base_layer).parameters)[1] == "adapter_name", told
    assert hasattr(layer, "_active_adapter") and layer.adapter_layer_names == (), told
    assert tuner.__abstractmethods__ <= {"_create_and_replace", "_prepare_adapter_config",
                                         "_check_target_module_exists", "_mark_only_adapters_as_trainable"}, told
    assert PeftType("MOLORA") is PeftType["MOLORA"] is PeftType.MOLORA and "MOLORA" in list(PeftType), told


def test_a_new_adapter_changes_nothing_and_alone_is_trained(tiny_llama: Path) -> None:
    base = _base(tiny_llama)
    before = _logits(base)
    model = get_peft_model(base, _config())
    assert torch.equal(_logits(model), before)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert all(".molora_experts.default." in name for name in trained)
    assert len(trained) == 2 * (2 * 2 + 2 * 4)  # A and B on attention, routers too on the FFN, in two blocks


def test_routers_have_moved_after_two_steps(tiny_llama: Path) -> None:
    torch.manual_seed(0)
    start = get_peft_model(_base(tiny_llama), _config()).state_dict()
    moved = _trained(tiny_llama).state_dict()
    assert not torch.equal(start["base_model.model.model." + ROUTER], moved["base_model.model.model." + ROUTER])


@pytest.mark.parametrize("alpha", [16.0, 10.0])
def test_one_expert_equals_the_lora_of_peft(tiny_llama: Path, alpha: float) -> None:
    targets = ["q_proj", "up_proj"]
    ours = get_peft_model(_base(tiny_llama), _config(num_experts=1, top_k=1, lora_alpha=alpha, target_modules=targets,
                                                     expert_modules=None))
    theirs = get_peft_model(_base(tiny_llama), LoraConfig(
        r=2, lora_alpha=alpha, target_modules=targets))  # type: ignore[arg-type]
    told = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        for weight in weights:
            torch.nn.init.normal_(weight, std=0.1)
        loss = model(input_ids=IDS, labels=IDS).loss
        told.append([loss, *torch.autograd.grad(loss, weights)])
    for one, other in zip(*told, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_saved_and_loaded_it_is_the_same_routers_included(tiny_llama: Path, tmp_path: Path) -> None:
    model = _trained(tiny_llama)
    model.save_pretrained(tmp_path)
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {path.name for path in tmp_path.iterdir()}
    for options in ({}, {"adapter_name": "other"}, {"low_cpu_mem_usage": True}, {"is_trainable": True}):
        loaded = PeftModel.from_pretrained(_base(tiny_llama), tmp_path, **options).eval()
        assert torch.equal(_logits(loaded), _logits(model)), options


def test_a_fresh_process_loads_it_after_one_import(tiny_llama: Path, tmp_path: Path) -> None:
    model = _trained(tiny_llama)
    model.save_pretrained(tmp_path)
    program = ("import sys, torch\nfrom recbole_medmoe.encoders import MoLoraConfig\nfrom peft import PeftModel\n"
               "from transformers import AutoModelForCausalLM\n"
               "base = AutoModelForCausalLM.from_pretrained(sys.argv[1], local_files_only=True)\n"
               "model = PeftModel.from_pretrained(base, sys.argv[2])\n"
               "print(float(model(input_ids=torch.arange(12).view(2, 6)).logits.double().square().sum()))")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(tiny_llama), str(tmp_path)], check=True,
                          capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
    assert float(done.stdout.split()[-1]) == pytest.approx(float(_logits(model).double().square().sum()), rel=1e-9)


def test_the_file_is_the_same_every_time(tiny_llama: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        get_peft_model(_base(tiny_llama), _config(target_modules={"up_proj", "q_proj", "down_proj"})
                       ).save_pretrained(tmp_path / name)
    told = [(tmp_path / name / "adapter_config.json").read_text() for name in ("a", "b")]
    assert told[0] == told[1]
    assert json.loads(told[0])["target_modules"] == ["down_proj", "q_proj", "up_proj"]


def test_a_disabled_or_unloaded_adapter_leaves_the_backbone(tiny_llama: Path) -> None:
    before = _logits(_base(tiny_llama))
    model = _trained(tiny_llama)
    with model.disable_adapter():
        assert torch.equal(_logits(model), before)
    assert not torch.equal(_logits(model), before)
    assert torch.equal(_logits(model.unload()), before)


def test_a_second_adapter_may_have_other_options(tiny_llama: Path, tmp_path: Path) -> None:
    model = _trained(tiny_llama)
    first = _logits(model)
    model.add_adapter("second", _config(num_experts=3, top_k=1, gate="all", r=5))
    model.set_adapter("second")
    assert torch.equal(_logits(model), _logits(_base(tiny_llama)))
    model.set_adapter("default")
    assert torch.equal(_logits(model), first)
    model.save_pretrained(tmp_path)
    assert torch.equal(_logits(PeftModel.from_pretrained(_base(tiny_llama), tmp_path)), first)


def test_trainable_parameters_are_printed(tiny_llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = get_peft_model(_base(tiny_llama), _config())
    model.print_trainable_parameters()
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert f"trainable params: {trained:,} " in capsys.readouterr().out


def test_all_linear_leaves_the_output_layer_out(tiny_llama: Path) -> None:
    model = get_peft_model(_base(tiny_llama), _config(target_modules="all-linear", expert_modules=r".*\.mlp\..*"))
    routed = {name: layer.molora_experts["default"].spec.num_experts for name, layer in model.named_modules()
              if isinstance(layer, MoLoraLinear)}
    assert len(routed) == 2 * 7 and not any("lm_head" in name for name in routed)
    assert {experts for name, experts in routed.items() if ".mlp." in name} == {4}
    assert {experts for name, experts in routed.items() if ".self_attn." in name} == {1}


def test_in_a_bfloat16_backbone_what_is_trained_is_float32(tiny_llama: Path) -> None:
    model = get_peft_model(_base(tiny_llama, torch.bfloat16), _config())
    kinds = {weight.requires_grad: weight.dtype for weight in model.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}
    assert _logits(model).dtype == torch.bfloat16


def test_adapters_left_in_bfloat16_keep_their_routers_in_float32(tiny_llama: Path) -> None:
    model = inject_adapter_in_model(_config(), _base(tiny_llama, torch.bfloat16))
    weights = dict(model.named_parameters())
    assert weights["model." + ROUTER].dtype == torch.float32
    assert weights["model." + ROUTER.replace("router_weight", "A")].dtype == torch.bfloat16
    assert _logits(model).isfinite().all()


@pytest.mark.parametrize("checkpointing", [False, True])
def test_collected_losses_name_layers_and_reach_every_router(tiny_llama: Path, checkpointing: bool) -> None:
    model = get_peft_model(_base(tiny_llama), _config(balance_weight=1.0)).train()
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    with collect_routing(torch.ones_like(IDS)) as routing:
        loss = model(input_ids=IDS, labels=IDS).loss
    (loss + routing.loss()).backward()
    assert sorted(routing.counts()) == [f"model.layers.{block}.mlp.{name}" for block in range(2)
                                        for name in ("down_proj", "up_proj")]
    assert all(weight.grad.abs().max() > 0 for name, weight in model.named_parameters() if "router_weight" in name)


def test_generation_with_a_cache_routes_every_new_token(tiny_llama: Path) -> None:
    model = _trained(tiny_llama)
    made = model.generate(input_ids=IDS[:1], max_new_tokens=3, do_sample=False, use_cache=True, pad_token_id=0)
    slow = model.generate(input_ids=IDS[:1], max_new_tokens=3, do_sample=False, use_cache=False, pad_token_id=0)
    assert torch.equal(made, slow)
