"""MoLoRA: equal to a loop over tokens and experts; what the router sees, and when it learns."""
from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recbole_medmoe.layers import MoLoRA, MoLoraSpec, collect_routing

WIDTH_IN, WIDTH_OUT = 6, 5


def _layer(dtype: torch.dtype = torch.float64, **options: Any) -> MoLoRA:
    """A layer with a B that is not zero."""
    torch.manual_seed(0)
    layer = MoLoRA(WIDTH_IN, WIDTH_OUT, MoLoraSpec(**{"r": 3, "alpha": 6.0, **options})).to(dtype)
    torch.nn.init.normal_(layer.B)
    return layer


def _inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 7, WIDTH_IN, dtype=dtype), torch.randn(2, 7, WIDTH_OUT, dtype=dtype)


def _loop(layer: MoLoRA, x: Tensor, base: Tensor) -> Tensor:
    """One token and one expert after the other."""
    spec = layer.spec
    scale = spec.alpha / (math.sqrt(spec.r) if spec.rslora else spec.r)
    assert layer.router_weight is not None and layer.router_bias is not None
    rows = []
    for token, frozen in zip(x.reshape(-1, WIDTH_IN), base.reshape(-1, WIDTH_OUT)):
        logits = layer.router_weight @ token + layer.router_bias
        chosen = sorted(range(spec.num_experts), key=lambda expert: -float(logits[expert].detach()))[:spec.top_k]
        among = chosen if spec.gate == "chosen" else range(spec.num_experts)
        total = sum(logits[other].exp() for other in among)
        out = frozen
        for expert in [*chosen, *([spec.num_experts] if spec.shared_expert else [])]:
            part = slice(expert * spec.r, (expert + 1) * spec.r)
            weight = 1.0 if expert == spec.num_experts else logits[expert].exp() / total
            out = out + weight * scale * (layer.B[:, part] @ (layer.A[part] @ token))
        rows.append(out)
    return torch.stack(rows).view_as(base)


def _gradients(layer: MoLoRA, x: Tensor, y: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad((y * torch.arange(y.numel(), dtype=y.dtype).view_as(y)).sum(),
                                    [x, *layer.parameters()]))


@pytest.mark.parametrize("options", [
    {"num_experts": 4, "top_k": 2}, {"num_experts": 4, "top_k": 4}, {"num_experts": 8, "top_k": 3, "rslora": True},
    {"num_experts": 4, "top_k": 1, "gate": "all"}, {"num_experts": 5, "top_k": 2, "gate": "all"},
    {"num_experts": 4, "top_k": 2, "shared_expert": True}, {"num_experts": 4, "top_k": 2, "dropout": 0.5}], ids=str)
def test_equals_a_loop_over_tokens_and_experts(options: dict[str, Any]) -> None:
    layer = _layer(**options)
    layer.dropout = torch.nn.Identity()  # type: ignore[assignment]  the way of dropout, without its chance
    x, base = _inputs()
    x.requires_grad_()
    fast, slow = layer(x, base), _loop(layer, x, base)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)
    for ours, theirs in zip(_gradients(layer, x, fast), _gradients(layer, x, slow), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_a_new_layer_adds_nothing() -> None:
    x, base = _inputs(torch.float32)
    assert torch.equal(MoLoRA(WIDTH_IN, WIDTH_OUT, MoLoraSpec())(x, base), base)


def test_all_experts_chosen_is_the_dense_mixture() -> None:
    layer = _layer(num_experts=3, top_k=3)
    x, base = _inputs()
    gates = F.linear(x, layer.router_weight, layer.router_bias).softmax(-1)  # type: ignore[arg-type]
    dense = sum(gates[..., e:e + 1] * F.linear(F.linear(x, layer.A[3 * e:3 * e + 3]), layer.B[:, 3 * e:3 * e + 3])
                for e in range(3))
    torch.testing.assert_close(layer(x, base), base + 2.0 * dense, rtol=0, atol=1e-10)


def test_every_expert_starts_as_an_adapter_of_its_own_would() -> None:
    torch.manual_seed(0)
    layer = MoLoRA(100, 4, MoLoraSpec(num_experts=4, r=8))
    for part in layer.A.split(8):
        assert 0.09 < float(part.detach().abs().max()) <= 0.1  # Kaiming-uniform with a = sqrt 5: 1 / sqrt(D_in)


def test_exactly_k_experts_also_where_all_logits_are_equal() -> None:
    layer = _layer(num_experts=8, top_k=3)
    assert torch.equal((layer._gates(torch.zeros(9, 8)) > 0).sum(-1), torch.full((9,), 3))


def test_training_equals_evaluation_without_dropout() -> None:
    layer = _layer(torch.float32)
    x, base = _inputs(torch.float32)
    assert torch.equal(layer.train()(x, base), layer.eval()(x, base))


def test_a_row_does_not_depend_on_its_batch_mates() -> None:
    layer = _layer(torch.float32)
    x, base = _inputs(torch.float32)
    other = torch.cat([x[:1], 9 * x[1:]])
    assert torch.equal(layer(x, base)[0], layer(other, base)[0])


def test_the_router_has_a_gradient_as_soon_as_b_is_not_zero() -> None:
    layer = MoLoRA(WIDTH_IN, WIDTH_OUT, MoLoraSpec()).double()
    assert layer.router_weight is not None
    seen = []
    for _ in range(2):
        layer.zero_grad()
        layer(*_inputs()).square().sum().backward()
        assert layer.router_weight.grad is not None
        seen.append(float(layer.router_weight.grad.abs().max()))
        with torch.no_grad():
            layer.B -= 0.1 * layer.B.grad  # type: ignore[operator]
    assert seen[0] == 0 < seen[1]


def test_one_expert_per_token_gives_the_router_a_gradient_with_gate_all() -> None:
    layer = _layer(top_k=1, gate="all")
    layer(*_inputs()).square().sum().backward()
    assert layer.router_weight is not None and float(layer.router_weight.grad.abs().max()) > 0  # type: ignore


def test_dropout_leaves_out_inputs_of_the_experts_not_of_the_router() -> None:
    layer = _layer(dropout=0.5)
    x, base = _inputs()
    with collect_routing() as evaluated:
        before = layer.eval()(x, base)
    with collect_routing() as trained:
        after = layer.train()(x, base)
    assert not torch.allclose(after, before)
    torch.testing.assert_close(trained.z_loss(), evaluated.z_loss(), rtol=1e-12, atol=0)


def test_router_noise_is_for_training_only() -> None:
    layer = _layer(router_noise=1.0)
    x, base = _inputs()
    assert torch.equal(layer.eval()(x, base), layer.eval()(x, base))
    assert not torch.equal(layer.train()(x, base), layer.train()(x, base))


def test_the_router_stays_in_float32_when_the_layer_goes_to_bfloat16() -> None:
    layer = _layer(torch.float32)
    weight = layer.router_weight.clone()  # type: ignore[union-attr]
    layer.to(torch.bfloat16)
    assert layer.A.dtype == torch.bfloat16 and torch.equal(layer.router_weight, weight)  # type: ignore[arg-type]
    x, base = _inputs(torch.bfloat16)
    assert layer(x, base).dtype == torch.bfloat16


def test_autocast_does_not_change_what_the_router_decides() -> None:
    layer = _layer(torch.float32)
    x, base = _inputs(torch.float32)
    with collect_routing() as plain:
        layer(x, base)
    with collect_routing() as cast, torch.autocast("cpu", torch.bfloat16):
        layer(x, base)
    torch.testing.assert_close(cast.z_loss(), plain.z_loss(), rtol=1e-6, atol=0)


def test_a_sequence_is_routed_by_its_prompt_whatever_stands_behind_it() -> None:
    layer = _layer(route="sequence")
    x, base = _inputs()
    prompt = torch.tensor([[1] * 4 + [0] * 3, [1] * 2 + [0] * 5])
    with collect_routing(torch.ones(2, 7), prompt):
        first = layer(x, base)
    changed = torch.where(prompt.bool().unsqueeze(-1), x, -x)
    with collect_routing(torch.ones(2, 7), prompt):
        second = layer(changed, base)
    kept = prompt.bool()
    torch.testing.assert_close(first[kept], second[kept], rtol=0, atol=1e-12)
    torch.testing.assert_close(first - base, torch.where(kept.unsqueeze(-1), 1, -1) * (second - base))  # same gates


def test_a_sequence_without_a_mask_of_its_shape_is_refused() -> None:
    layer = _layer(route="sequence")
    with pytest.raises(ValueError, match=r"needs a mask of \(2, 7\).*there is none"):
        layer(*_inputs())
    with collect_routing(torch.ones(2, 9)), pytest.raises(ValueError, match=r"there is one of \(2, 9\)"):
        layer(*_inputs())


@pytest.mark.parametrize(("options", "told"), [
    ({"top_k": 5}, "top_k 5 is above num_experts 4"), ({"top_k": 1}, "gives the router no gradient"),
    ({"r": 0}, "r 0 is below 1"), ({"dropout": 1.0}, r"dropout 1.0 is not in \[0, 1\)"),
    ({"route": "row"}, "route 'row' is not one of token, sequence"), ({"gate": "hard"}, "gate 'hard' is not one of"),
    ({"num_experts": 1, "top_k": 1, "shared_expert": True}, "shared_expert with one expert"),
    ({"z_weight": -1.0}, "z_weight -1.0 is below 0")], ids=str)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        MoLoRA(WIDTH_IN, WIDTH_OUT, MoLoraSpec(**options))
