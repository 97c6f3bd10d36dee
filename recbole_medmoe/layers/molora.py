"""MoLoRA: a frozen linear map beside low-rank experts, k of which a router picks for each token.

    y = W x + (alpha / r) B_cat (g * (A_cat x)),    g = softmax over the k chosen of (W_r x + b_r)

Source: Liao et al., "MING-MOE: Enhancing Medical Multi-Task Learning in Large Language Models with Sparse Mixture of
Low-Rank Adapter Experts", https://arxiv.org/abs/2404.09027, and its released code. The experts are stacked: sum_e g_e
B_e A_e x is a product with one tall A, a factor for each expert's r numbers, and a product with one wide B. No expert
is run apart, and nothing of size E x T x D is ever made.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .dropout import Dropout
from .routers import current_gates, current_routing

_COARSE = {torch.bfloat16, torch.float16}


@dataclass(frozen=True)
class MoLoraSpec:
    """Options of a `MoLoRA`.

    Args:
        num_experts: E; 1 is plain LoRA, without a router.
        top_k: k, experts that a token uses.
        r: rank of each expert.
        alpha: experts' outputs are scaled by alpha / r.
        rslora: scale by alpha / sqrt(r) instead (Kalajdzievski, https://arxiv.org/abs/2312.03732).
        dropout: share of the experts' inputs that training leaves out; the router sees all.
        router_noise: standard deviation of the noise that training adds to router logits.
        route: ``token``; ``sequence``: one choice for all tokens of a row, from the mean of its prompt; or ``given``:
            no router, the experts' weights come from `given_gates`, e.g. by a label of the task.
        gate: ``chosen``, softmax over the k chosen; ``all``, the chosen ones' weights in the softmax over all E.
        shared_expert: one more expert of rank r, used by every token with weight 1.
        balance_weight: factor of the balance loss, see `Routing.loss`.
        z_weight: factor of the router's z-loss, see `Routing.loss`.
    """

    num_experts: int = 4
    top_k: int = 2
    r: int = 8
    alpha: float = 16.0
    rslora: bool = False
    dropout: float = 0.0
    router_noise: float = 0.0
    route: str = "token"
    gate: str = "chosen"
    shared_expert: bool = False
    balance_weight: float = 0.0
    z_weight: float = 0.0

    def faults(self) -> list[str]:
        """What is wrong, one sentence each."""
        told = [f"{name} {getattr(self, name)} is below {least}" for name, least in
                (("num_experts", 1), ("top_k", 1), ("r", 1), ("router_noise", 0), ("balance_weight", 0),
                 ("z_weight", 0)) if not getattr(self, name) >= least]
        if self.top_k > self.num_experts:
            told.append(f"top_k {self.top_k} is above num_experts {self.num_experts}")
        elif self.top_k == 1 < self.num_experts and self.gate == "chosen" and self.route != "given":
            told.append("top_k 1: the softmax over one chosen expert is always 1 and gives the router no gradient; "
                        "take gate 'all' (its weight in the softmax over all experts) or a larger top_k")
        if not 0 <= self.dropout < 1:
            told.append(f"dropout {self.dropout} is not in [0, 1)")
        if self.num_experts == 1 and self.shared_expert:
            told.append("shared_expert with one expert: take a larger r instead")
        told += [f"{name} '{value}' is not one of {', '.join(known)}" for name, value, known in
                 (("route", self.route, ("token", "sequence", "given")), ("gate", self.gate, ("chosen", "all")))
                 if value not in known]
        return told


class MoLoRA(nn.Module):
    """The experts of one linear map; the frozen map itself stays outside.

    A starts Kaiming-uniform (a = sqrt 5), B zero: a new layer adds nothing. The router is a linear map with bias, and
    stays in float32 when the layer goes to bfloat16. While B is zero it has no gradient: it learns from step two on.

    Args:
        width_in: D of the map's input.
        width_out: D of the map's output.
        spec: the options.

    Attributes:
        name: what errors and statistics call this layer.

    Raises:
        ValueError: options that do not fit together.

    Example:
        >>> frozen, experts = nn.Linear(8, 4), MoLoRA(8, 4, MoLoraSpec(num_experts=4, top_k=2))
        >>> x = torch.randn(2, 5, 8)
        >>> torch.equal(experts(x, frozen(x)), frozen(x))
        True
    """

    router_weight: Tensor | None
    router_bias: Tensor | None

    def __init__(self, width_in: int, width_out: int, spec: MoLoraSpec) -> None:
        super().__init__()
        if spec.faults():
            raise ValueError("; ".join(spec.faults()))
        self.spec, self.name = spec, "molora"
        self.scale = spec.alpha / (math.sqrt(spec.r) if spec.rslora else spec.r)
        rows = (spec.num_experts + spec.shared_expert) * spec.r
        self.A = nn.Parameter(torch.empty(rows, width_in))
        self.B = nn.Parameter(torch.empty(width_out, rows))
        self.dropout = Dropout(spec.dropout)
        if spec.num_experts > 1 and spec.route != "given":
            self.router_weight = nn.Parameter(torch.empty(spec.num_experts, width_in))
            self.router_bias = nn.Parameter(torch.empty(spec.num_experts))
        else:
            self.register_parameter("router_weight", None)
            self.register_parameter("router_bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weights anew; A's bound depends on the input's width alone, so it is each expert's own."""
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        nn.init.zeros_(self.B)
        if self.router_weight is not None and self.router_bias is not None:  # as `nn.Linear` starts
            nn.init.kaiming_uniform_(self.router_weight, a=math.sqrt(5))
            bound = 1 / math.sqrt(self.router_weight.shape[1])
            nn.init.uniform_(self.router_bias, -bound, bound)

    def forward(self, x: Tensor, base: Tensor) -> Tensor:
        """Adds what the experts make of x.

        Args:
            x: [..., D_in]; with ``route: sequence`` [B, T, D_in].
            base: what the frozen map makes of x [..., D_out].

        Returns:
            [..., D_out] in the number format of ``base``.

        Raises:
            ValueError: ``route: sequence`` without a mask of the same shape, see `collect_routing`; ``route: given``
                outside of `given_gates`, or with another number of weights.
        """
        x = x.to(self.A.dtype)
        hidden, gates = self._hidden_and_gates(x)  # [..., (E + shared) r], [..., E] or None
        if gates is None:
            hidden = hidden * self.scale
        else:
            gates = gates * self.scale
            if self.spec.shared_expert:
                gates = F.pad(gates, (0, 1), value=self.scale)
            weighted = hidden.unflatten(-1, (-1, self.spec.r)) * gates.unsqueeze(-1)
            hidden = weighted.flatten(-2).to(hidden.dtype)
        if hidden.dtype == base.dtype or torch.is_autocast_enabled(base.device.type):  # one pass over [..., D_out] less
            return torch.addmm(base.reshape(-1, len(self.B)), hidden.reshape(-1, self.B.shape[1]),
                               self.B.t()).view_as(base).to(base.dtype)
        return (base + F.linear(hidden, self.B)).to(base.dtype)

    def _hidden_and_gates(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """A x, and how much of each expert each token takes."""
        if self.router_weight is None or self.router_bias is None:
            return F.linear(self.dropout(x), self.A), self._given() if self.spec.num_experts > 1 else None
        dropped = self.training and self.spec.dropout > 0
        if (self.spec.route == "token" and not dropped and self.A.dtype == self.router_weight.dtype
                and not torch.is_autocast_enabled(x.device.type)):
            # One product for both: x is read once, and so is what flows back to it.
            both = F.linear(x, torch.cat([self.A, self.router_weight]))
            hidden, logits = both.split([len(self.A), self.spec.num_experts], dim=-1)
            return hidden, self._gates(logits + self.router_bias)
        with torch.autocast(x.device.type, enabled=False):
            seen = x.to(self.router_weight.dtype)
            if self.spec.route == "sequence":
                seen = _prompt_mean(seen, self.name)
            logits = F.linear(seen, self.router_weight, self.router_bias)
        return F.linear(self.dropout(x), self.A), self._gates(logits)

    def _given(self) -> Tensor:
        """Weights [E] from outside."""
        gates = current_gates()
        if gates is None or gates.shape != (self.spec.num_experts,):
            told = "there are none" if gates is None else f"they have the shape {tuple(gates.shape)}"
            raise ValueError(f"{self.name}, route 'given': given_gates must hold {self.spec.num_experts} weights, "
                             f"{told}; gradient checkpointing, which runs the layer again outside of it, needs another "
                             "route")
        return gates

    def _gates(self, logits: Tensor) -> Tensor:
        """Router logits [..., E] -> weights [..., E], exactly k of them above 0, also where logits are equal."""
        if self.training and self.spec.router_noise:
            logits = logits + self.spec.router_noise * torch.randn_like(logits)
        routing = current_routing()
        if routing is not None:
            routing.collect(self, logits)
        if self.spec.top_k == self.spec.num_experts:
            return logits.softmax(-1)
        chosen = logits.detach().topk(self.spec.top_k, dim=-1).indices  # [..., k]
        weights = (logits.gather(-1, chosen).softmax(-1) if self.spec.gate == "chosen"
                   else logits.softmax(-1).gather(-1, chosen))
        return torch.zeros_like(logits).scatter(-1, chosen, weights)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> MoLoRA:
        """As in torch, but the router is not made coarser than float32."""
        router = [weight for weight in (self.router_weight, self.router_bias) if weight is not None]
        kept = {id(tensor) for weight in router for tensor in (weight, weight.grad)}

        def careful(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return tensor.to(moved.device, torch.float32) if id(tensor) in kept and moved.dtype in _COARSE else moved

        return super()._apply(careful, recurse)

    def extra_repr(self) -> str:
        """Shapes and options."""
        return f"{self.A.shape[1]} -> {len(self.B)}, {self.spec}"


def _prompt_mean(x: Tensor, name: str) -> Tensor:
    """Mean of the prompt's tokens of x [B, T, D] -> [B, 1, D]."""
    routing = current_routing()
    mask = None if routing is None else routing.prompt
    if mask is None or x.shape[:-1] != mask.shape:
        told = "there is none" if mask is None else f"there is one of {tuple(mask.shape)}"
        raise ValueError(f"{name}, route 'sequence': input {tuple(x.shape)} needs a mask of {tuple(x.shape[:-1])} from "
                         f"collect_routing(tokens, prompt), {told}; cached tokens and gradient checkpointing, which "
                         "runs the layer again, need route 'token'")
    weight = mask.to(x.dtype).unsqueeze(-1)  # [B, T, 1]
    return (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
