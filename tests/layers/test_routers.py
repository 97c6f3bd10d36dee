"""collect_routing: losses and counts against loops, under padding, checkpointing, accumulation and bfloat16."""
from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from recbole_medmoe.errors import TrainingError
from recbole_medmoe.layers import MoLoRA, MoLoraSpec, Routing, collect_routing

MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


class _Two(nn.Module):
    """Two routed layers, one behind the other, in a checkpointed block each."""

    def __init__(self, reentrant: bool | None = None, **options: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(MoLoRA(6, 6, MoLoraSpec(**options)) for _ in range(2))
        for number, layer in enumerate(self.layers):
            nn.init.normal_(layer.B)
            layer.name = f"layer{number}"
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            block = lambda x, layer=layer: layer(x, x)
            x = block(x) if self.reentrant is None else checkpoint(block, x, use_reentrant=self.reentrant)
        return x


def _x(seed: int = 1) -> Tensor:
    torch.manual_seed(seed)
    return torch.randn(2, 5, 6)


def _logits(layer: MoLoRA, x: Tensor) -> Tensor:
    return torch.nn.functional.linear(x, layer.router_weight, layer.router_bias)  # type: ignore[arg-type]


def _run(model: nn.Module, x: Tensor, mask: Tensor | None = MASK) -> tuple[Tensor, Routing]:
    with collect_routing(mask) as routing:
        y = model(x)
    return y, routing


def test_losses_equal_loops_over_real_tokens() -> None:
    layer, x = _Two().layers[0], _x()
    with collect_routing(MASK) as routing:
        layer(x, x)
    tokens = [row for row, real in zip(_logits(layer, x).view(-1, 4), MASK.flatten()) if real]
    chosen, mass = torch.zeros(4), torch.zeros(4)
    for token in tokens:
        chosen[token.topk(2).indices] += 1 / (2 * len(tokens))
        mass += token.softmax(-1) / len(tokens)
    z = sum(token.exp().sum().log() ** 2 for token in tokens) / len(tokens)
    torch.testing.assert_close(routing.balance_loss(), 4 * (chosen * mass).sum())
    torch.testing.assert_close(routing.z_loss(), z)


def test_balance_loss_is_one_where_experts_are_used_alike_and_e_where_one_does_all() -> None:
    layer = MoLoRA(4, 2, MoLoraSpec(top_k=1, gate="all"))
    with torch.no_grad():
        layer.router_weight.copy_(50 * torch.eye(4))  # type: ignore[union-attr]
        layer.router_bias.zero_()  # type: ignore[union-attr]
    told = []
    for x in (torch.eye(4), torch.eye(4)[:1].repeat(4, 1)):
        with collect_routing() as routing:
            layer(x, torch.zeros(4, 2))
        told.append(float(routing.balance_loss().detach()))
    assert told == pytest.approx([1, 4])


def test_padding_does_not_count_whatever_it_holds() -> None:
    model, x = _Two(), _x()
    _, routing = _run(model, x)
    _, other = _run(model, torch.where(MASK.bool().unsqueeze(-1), x, torch.nan))
    torch.testing.assert_close(other.balance_loss() + other.z_loss(), routing.balance_loss() + routing.z_loss())
    assert routing.counts()["layer1"].tokens == 8 == int(routing.counts()["layer1"].chosen.sum()) // 2


def test_loss_weighs_both_and_is_zero_by_default() -> None:
    _, routing = _run(_Two(balance_weight=0.5, z_weight=0.25), _x())
    torch.testing.assert_close(routing.loss(), 0.5 * routing.balance_loss() + 0.25 * routing.z_loss())
    assert float(_run(_Two(), _x())[1].loss()) == 0


def test_losses_train_routers_while_b_is_zero() -> None:
    layer, x = MoLoRA(6, 6, MoLoraSpec(balance_weight=1.0)), _x()
    with collect_routing() as routing:
        y = layer(x, x)
    (y.sum() + routing.loss()).backward()
    assert float(layer.router_weight.grad.abs().max()) > 0  # type: ignore[union-attr]


def test_gradient_checkpointing_changes_nothing() -> None:
    told = []
    for reentrant in (None, False):
        model = _Two(reentrant, balance_weight=1.0, z_weight=1.0)
        y, routing = _run(model, _x().requires_grad_())
        loss = y.square().mean() + routing.loss()
        loss.backward()
        told.append([loss, routing.counts()["layer1"].chosen, *(weight.grad for weight in model.parameters())])
    for plain, checkpointed in zip(*told, strict=True):
        torch.testing.assert_close(checkpointed, plain)


def test_reentrant_checkpointing_is_refused_since_it_loses_router_gradients() -> None:
    _, routing = _run(_Two(True), _x().requires_grad_())
    with pytest.raises(TrainingError, match="layer0 carry no gradient.*'use_reentrant': False"):
        routing.balance_loss()


def test_backward_inside_is_refused_where_layers_run_again() -> None:
    with pytest.raises(RuntimeError, match="layer1 ran twice.*leave it before backward"):
        with collect_routing(MASK):
            _Two(False)(_x().requires_grad_()).sum().backward()


def test_losses_without_gradient_are_for_validation() -> None:
    with torch.no_grad():
        _, routing = _run(_Two(), _x())
        assert float(routing.z_loss()) > 0


def test_counts_and_z_loss_of_parts_add_up_to_the_whole() -> None:
    model, x = _Two(), _x()
    _, whole = _run(model, x)
    parts = [_run(model, x[row:row + 1], MASK[row:row + 1])[1] for row in range(2)]
    torch.testing.assert_close((5 * parts[0].z_loss() + 3 * parts[1].z_loss()) / 8, whole.z_loss())
    for name, counts in whole.counts().items():
        added = parts[0].counts()[name] + parts[1].counts()[name]
        assert added.tokens == counts.tokens and added.entropy == pytest.approx(counts.entropy)
        for field in ("chosen", "weight", "together", "rows"):
            torch.testing.assert_close(getattr(added, field), getattr(counts, field))


def test_counts_equal_a_loop() -> None:
    layer, x = _Two().layers[0], _x()
    with collect_routing(MASK) as routing:
        layer(x, x)
    counts = routing.counts()["layer0"]
    together, rows, entropy = torch.zeros(4, 4), torch.zeros(2, 4), 0.0
    for row, token in MASK.nonzero().tolist():
        logits = _logits(layer, x)[row, token].detach()
        for one in logits.topk(2).indices:
            rows[row, one] += 1
            for other in logits.topk(2).indices:
                together[one, other] += 1
        entropy += float(torch.distributions.Categorical(logits=logits).entropy())
    assert torch.equal(counts.together, together) and torch.equal(counts.rows, rows)
    assert torch.equal(counts.chosen, rows.sum(0)) and counts.entropy == pytest.approx(entropy, rel=1e-5)


def test_bfloat16_autocast_leaves_the_losses_in_float32() -> None:
    layer, x = _Two().layers[0], _x()
    with collect_routing(MASK) as plain:
        layer(x, x)
    with collect_routing(MASK) as cast, torch.autocast("cpu", torch.bfloat16):
        layer(x, x)
    torch.testing.assert_close(cast.balance_loss(), plain.balance_loss())


def test_logits_that_are_not_finite_are_named() -> None:
    model = _Two()
    nn.init.constant_(model.layers[1].router_bias, torch.inf)
    with pytest.raises(TrainingError, match=r"router logits of layer1 are not finite \(1 of 2 layers\)"):
        _run(model, _x())[1].loss() + _run(model, _x())[1].balance_loss()


def test_a_sequence_counts_once() -> None:
    _, routing = _run(_Two(route="sequence"), _x())
    counts = routing.counts()["layer0"]
    assert counts.tokens == 2 and torch.equal(counts.rows.sum(1), torch.tensor([2.0, 2.0]))


@pytest.mark.parametrize(("mask", "told"), [(torch.ones(2, 4), r"layer0: token mask \(2, 4\)"),
                                            (torch.zeros(2, 5), "holds no token")], ids=["shape", "empty"])
def test_a_mask_that_does_not_fit_is_refused(mask: Tensor, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        _run(_Two(), _x(), mask)[1].z_loss()


def test_nothing_collected_is_told() -> None:
    with collect_routing() as routing:
        pass
    with pytest.raises(RuntimeError, match="no router ran"):
        routing.counts()
