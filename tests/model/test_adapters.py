"""AdaptedLLM: every adapter of MINGMoE on a tiny Llama."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.config.loading import read_yaml
from recbole_medmoe.errors import CheckpointError, ConfigError, TrainingError
from recbole_medmoe.layers import MoLoRA
from recbole_medmoe.model.adapters import AdaptedLLM
from recbole_medmoe.model.mingmoe import MINGMoEParams
from recbole_medmoe.paths import properties_dir

PROMPTS = torch.tensor([[5, 6, 7, 8], [9, 10, -1, -1], [-1, -1, -1, -1]])
OPTIONS = torch.tensor([[[11, 12], [13, -1]], [[14, -1], [-1, -1]], [[15, 16], [17, -1]]])
LABELS = torch.tensor([0, 1, 0])


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_llama(tmp_path_factory.mktemp("llama") / "llama"))


@pytest.fixture
def build(llama: str, tmp_path: Path) -> Callable[..., AdaptedLLM]:
    """``build("lora", num_experts=2)``"""
    defaults = read_yaml(properties_dir() / "model" / "MINGMoE.yaml", "").values

    def make(adapter: str, labels: tuple[str, ...] = ("a", "b"), **keys: Any) -> AdaptedLLM:
        config: dict[str, Any] = {"device": "cpu", "precision": "no", "cache_dir": str(tmp_path), "keep_states": False,
                                  "allow_download": False, "progress": False}
        chosen = {"backbone": llama, "tuned_layers": 1, "lora_dropout": 0.0, "adapter": adapter, **keys}
        torch.manual_seed(0)
        return AdaptedLLM(MINGMoEParams.model_validate({**defaults, **chosen}), config, labels)

    return make


def _teach(llm: AdaptedLLM) -> AdaptedLLM:
    """Gives every adapter something to add."""
    torch.manual_seed(1)
    for layer in llm.modules():
        if isinstance(layer, MoLoRA):
            torch.nn.init.normal_(layer.B)
    return llm


def _score(llm: AdaptedLLM, labels: Tensor = LABELS) -> Tensor:
    with torch.no_grad():
        return llm.likelihoods(PROMPTS, OPTIONS, labels)


@pytest.mark.parametrize("adapter", ["molora", "lora", "lora_per_task", "task_gated"])
def test_a_new_adapter_changes_nothing(adapter: str, build: Callable[..., AdaptedLLM]) -> None:
    assert torch.allclose(_score(build(adapter)), _score(build("none")), atol=1e-6)


@pytest.mark.parametrize("adapter", ["molora", "lora", "lora_per_task", "task_gated"])
def test_a_taught_adapter_scores_alike_in_training_and_after(adapter: str, build: Callable[..., AdaptedLLM]) -> None:
    llm = _teach(build(adapter))
    still = _score(llm)
    assert not torch.allclose(still, _score(build("none")), atol=1e-3)
    assert torch.allclose(llm.train().likelihoods(PROMPTS, OPTIONS, LABELS), still, atol=1e-5)


def test_what_has_no_prompt_scores_zero_and_an_option_without_words_below_all_others(
        build: Callable[..., AdaptedLLM]) -> None:
    llm = build("molora")
    for found in (_score(llm), llm.train().likelihoods(PROMPTS, OPTIONS).detach()):
        assert found[1, 1] < found[1, 0] < 0 and (found[2] == 0).all() and (found[0] < 0).all()


def test_no_adapter_trains_nothing(build: Callable[..., AdaptedLLM]) -> None:
    llm = build("none")
    assert not any(weight.requires_grad for weight in llm.parameters()) and llm.costs()["trained_parameters"] == 0


def test_plain_lora_has_as_many_parameters_as_molora(build: Callable[..., AdaptedLLM]) -> None:
    plain, routed = (build(adapter).costs()["trained_parameters"] for adapter in ("lora", "molora"))
    widths = {layer.A.shape[1] + len(layer.B) for layer in build("lora").modules() if isinstance(layer, MoLoRA)}
    assert abs(plain - routed) <= 7 * max(widths) / 2   # half of what one more rank on all seven maps brings


def test_labels_choose_the_lora_of_a_task(build: Callable[..., AdaptedLLM]) -> None:
    llm = _teach(build("lora_per_task"))
    first, second = _score(llm), _score(llm, 1 - LABELS)
    assert not torch.allclose(first[:2], second[:2], atol=1e-4)
    unknown = _score(llm, torch.full((3,), -1))
    assert torch.allclose(unknown, _score(build("none")), atol=1e-6)


def test_the_task_gate_learns(build: Callable[..., AdaptedLLM]) -> None:
    llm = _teach(build("task_gated")).train()
    llm.likelihoods(PROMPTS, OPTIONS, LABELS).sum().backward()
    assert llm.gate is not None and llm.gate.out.weight.grad is not None
    assert float(llm.gate.out.weight.grad.abs().max()) > 0


def test_flops_count_what_a_token_uses_and_what_is_carried_out(build: Callable[..., AdaptedLLM]) -> None:
    llm = build("molora", num_experts=4, top_k=2, lora_rank=2, lora_targets=(), expert_targets=("up_proj",))
    layer, = (part for part in llm.modules() if isinstance(part, MoLoRA))
    width, router = layer.A.shape[1] + len(layer.B), 4 * layer.A.shape[1] + 4 - 4
    told = llm.costs()
    assert told["adapter_flops_per_token"] == 2 * (8 * width + router)
    assert told["active_flops_per_token"] == 2 * (4 * width + router)


def test_the_answer_loss_is_the_mean_negative_log_likelihood(build: Callable[..., AdaptedLLM]) -> None:
    for normalise in ("mean", "sum"):
        llm = build("molora", normalise=normalise)
        lengths = torch.tensor([[2, 1], [1, 1]]) if normalise == "sum" else torch.ones(2, 2)
        told = _score(llm)[:2] / lengths
        with torch.no_grad():
            loss = llm.answer_loss(PROMPTS[:2], OPTIONS[:2])
        assert torch.allclose(loss, -torch.stack([told[0, 0], told[0, 1], told[1, 0]]).mean(), atol=1e-6)


def test_states_do_not_depend_on_batch_mates(build: Callable[..., AdaptedLLM]) -> None:
    llm = _teach(build("molora"))
    with torch.no_grad():
        together, alone = llm.states(PROMPTS), llm.states(PROMPTS[1:2, :2])
    assert torch.allclose(together[1], alone[0], atol=1e-5) and (together[2] == 0).all()


def test_router_losses_are_added_with_their_weights(build: Callable[..., AdaptedLLM]) -> None:
    for weight in (0.0, 0.5):
        llm = _teach(build("molora", balance_weight=weight)).train()
        loss = llm.likelihoods(PROMPTS, OPTIONS).sum()
        assert (float(llm.routing_loss(loss)) > 0) == (weight > 0)
        assert float(llm.routing_loss(loss)) == 0   # of passes since the last call: none


def test_router_logits_that_are_not_finite_are_named(build: Callable[..., AdaptedLLM]) -> None:
    llm = build("molora").train()
    router = next(layer for layer in llm.modules() if isinstance(layer, MoLoRA) and layer.router_bias is not None)
    with torch.no_grad():
        router.router_bias.fill_(torch.nan)  # type: ignore[union-attr]
    loss = llm.likelihoods(PROMPTS, OPTIONS).sum()
    with pytest.raises(TrainingError, match=f"router logits of .*{router.name}"):
        llm.routing_loss(loss)


def test_weights_go_back_and_those_without_routers_are_refused(build: Callable[..., AdaptedLLM]) -> None:
    llm, other = _teach(build("molora")), build("molora")
    state = llm.state_dict()
    assert all("experts" in name or name.endswith("frozen_sha256") for name in state)
    other.load_state_dict(state)
    assert torch.equal(_score(other), _score(llm))
    with pytest.raises(CheckpointError, match="routers among them"):
        build("molora").load_state_dict({name: value for name, value in state.items() if "router" not in name})


def test_weights_of_another_backbone_are_refused(build: Callable[..., AdaptedLLM], tmp_path: Path) -> None:
    state = build("molora").state_dict()
    other = make_llama(tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["lm_head.weight"] += 1
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="trained on a backbone of SHA-256"):
        build("molora", backbone=str(other)).load_state_dict(state)


def test_what_the_frozen_blocks_read_is_kept_for_the_next_one(build: Callable[..., AdaptedLLM]) -> None:
    first = build("molora")
    told, read = _score(first), []
    second = build("lora")
    second.halves.lower.register_forward_hook(lambda *_: read.append(1))
    assert torch.allclose(_score(second), told, atol=1e-6) and not read


def test_a_prompt_above_the_context_is_refused(build: Callable[..., AdaptedLLM]) -> None:
    with pytest.raises(ConfigError, match="takes at most .* tokens in all"):
        build("molora", prompt_max_tokens=10 ** 6)


def test_a_target_that_matches_nothing_names_what_there_is(build: Callable[..., AdaptedLLM]) -> None:
    with pytest.raises(ConfigError, match="query_proj.*matches nothing.*q_proj"):
        build("lora", lora_targets=("query_proj",))


def test_an_adapter_that_is_told_the_task_does_not_run_layers_again(build: Callable[..., AdaptedLLM]) -> None:
    with pytest.raises(ConfigError, match="gradient_checkpointing.*task_gated"):
        build("task_gated", gradient_checkpointing=True)


def test_texts_are_read_anew_where_nothing_is_kept(build: Callable[..., AdaptedLLM]) -> None:
    llm = build("molora")
    told, read = _score(llm), []
    llm.halves.lower.register_forward_hook(lambda *_: read.append(1))
    with llm.nothing_kept():
        assert torch.allclose(_score(llm), told, atol=1e-6) and read
    read.clear()
    assert torch.equal(_score(llm), told) and not read
