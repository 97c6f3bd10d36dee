"""Losses and statistics of all routers in a forward pass, worked out outside of the layers.

A layer only leaves a reference to its router logits here. So nothing is added inside a checkpointed block (what is
recomputed must be what was computed), nothing is computed where nobody asks, and all layers are computed at once.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import TrainingError

if TYPE_CHECKING:
    from .molora import MoLoRA, MoLoraSpec

_CURRENT: ContextVar[Routing | None] = ContextVar("routing", default=None)
_GATES: ContextVar[Tensor | None] = ContextVar("gates", default=None)


@dataclass(frozen=True)
class RouterCounts:
    """What the router of one layer did over N tokens; counts of several passes add up.

    Args:
        tokens: N, tokens (or rows, with ``route: sequence``) that counted.
        chosen: [E], how often each expert was among the k.
        weight: [E], sum of each expert's probability in the softmax over all E.
        entropy: sum of the entropies of these softmaxes, in nats.
        together: [E, E], how often two experts were chosen for the same token; the diagonal is ``chosen``.
        rows: [B, E], ``chosen`` for each row of the batch; of several passes one below the other.
    """

    tokens: int
    chosen: Tensor
    weight: Tensor
    entropy: float
    together: Tensor
    rows: Tensor

    def __add__(self, other: RouterCounts) -> RouterCounts:
        """Both passes as one."""
        return RouterCounts(self.tokens + other.tokens, self.chosen + other.chosen, self.weight + other.weight,
                            self.entropy + other.entropy, self.together + other.together,
                            torch.cat([self.rows, other.rows]))


class Routing:
    """Router logits of one forward pass, see `collect_routing`.

    Attributes:
        tokens: [B, T] bool, tokens that count, or None for all.
        prompt: [B, T] bool, tokens whose mean decides with ``route: sequence``, or None.
    """

    def __init__(self, tokens: Tensor | None, prompt: Tensor | None) -> None:
        self.tokens = None if tokens is None else tokens.bool()
        self.prompt = self.tokens if prompt is None else prompt.bool()
        self._logits: dict[MoLoRA, Tensor] = {}

    def collect(self, layer: MoLoRA, logits: Tensor) -> None:
        """Takes a layer's logits [..., E].

        Raises:
            RuntimeError: it has them already.
        """
        if layer in self._logits:
            raise RuntimeError(f"{layer.name} ran twice inside one collect_routing, which holds one forward pass; "
                               "leave it before backward() (gradient checkpointing runs layers again there)")
        self._logits[layer] = logits

    def balance_loss(self) -> Tensor:
        """E sum_e f_e P_e, f the experts' shares of all choices and P their mean probabilities; mean over layers.

        It is 1 where experts are used alike and E where every token takes the same one. Each pass has its own: that of
        a batch in two parts is not the mean of theirs. Source: Fedus et al., "Switch Transformers",
        https://arxiv.org/abs/2101.03961, equations 4 to 6, here with k choices per token.

        Raises:
            TrainingError: logits that are not finite, or that carry no gradient.
            RuntimeError: no router ran.
        """
        return self._mean(lambda spec: (1.0, 0.0))

    def z_loss(self) -> Tensor:
        """Mean over tokens of logsumexp(logits)^2, mean over layers: keeps logits small.

        Source: Zoph et al., "ST-MoE", https://arxiv.org/abs/2202.08906, equation 5. Raises as `balance_loss`.
        """
        return self._mean(lambda spec: (0.0, 1.0))

    def loss(self) -> Tensor:
        """Both losses with the weights in the layers' options, to be added to the task's loss; 0 where these are 0.

        Raises as `balance_loss`.
        """
        if any(layer.spec.balance_weight or layer.spec.z_weight for layer in self._logits):
            return self._mean(lambda spec: (spec.balance_weight, spec.z_weight))
        return torch.zeros(())

    @torch.no_grad()
    def counts(self) -> dict[str, RouterCounts]:
        """What each router did, by its layer's name, on the CPU.

        Raises:
            TrainingError: logits that are not finite.
            RuntimeError: no router ran.
        """
        told = {}
        for layers, logits, keep in self._stacks():
            first, experts = self._logits[layers[0]], layers[0].spec.num_experts
            probability = logits.softmax(-1)  # [L, N, E]
            chosen = _chosen(logits, layers[0].spec.top_k)
            entropy = -torch.xlogy(probability, probability).sum((1, 2)).cpu()
            weight, together = probability.sum(1).cpu(), (chosen.transpose(1, 2) @ chosen).cpu()
            each = first.numel() // experts // len(first)  # tokens of a row
            rows = torch.div(keep, each, rounding_mode="floor")
            by_row = logits.new_zeros(len(layers), len(first), experts).index_add_(1, rows, chosen).cpu()
            for place, layer in enumerate(layers):
                told[layer.name] = RouterCounts(len(keep), together[place].diagonal(), weight[place],
                                                float(entropy[place]), together[place], by_row[place])
        return told

    def _mean(self, weights: Callable[[MoLoraSpec], tuple[float, float]]) -> Tensor:
        """Mean over layers of balance loss and z-loss, weighted."""
        parts = []
        for layers, logits, _ in self._stacks():
            lost = [layer.name for layer in layers if layer.router_weight is not None
                    and layer.router_weight.requires_grad and not self._logits[layer].requires_grad]
            if lost and torch.is_grad_enabled():
                raise TrainingError(f"router logits of {lost[0]} carry no gradient: the forward pass ran under "
                                    "no_grad, or under reentrant gradient checkpointing, which loses the routers' "
                                    "gradients; take gradient_checkpointing_kwargs={'use_reentrant': False}")
            factors = logits.new_tensor([weights(layer.spec) for layer in layers])  # [L, 2]
            balance, z = _balance(logits, layers[0].spec.top_k), logits.logsumexp(-1).square().mean(1)
            losses = torch.stack([balance, z], dim=1)
            parts.append((factors * losses).sum())
        return torch.stack(parts).sum() / len(self._logits)

    def _stacks(self) -> list[tuple[list[MoLoRA], Tensor, Tensor]]:
        """Layers of like shape and choice, their logits at tokens that count [L, N, E], and the places of these [N]."""
        if not self._logits:
            raise RuntimeError("no router ran inside this collect_routing")
        alike: dict[tuple[torch.Size, int, str], list[MoLoRA]] = {}
        for layer, logits in self._logits.items():
            alike.setdefault((logits.shape, layer.spec.top_k, layer.spec.route), []).append(layer)
        stacks = []
        for (shape, *_), layers in alike.items():
            keep = self._kept(shape, layers[0]).to(self._logits[layers[0]].device)
            stack = torch.stack([self._logits[layer].flatten(0, -2) for layer in layers]).index_select(1, keep)
            finite = stack.isfinite().flatten(1).all(1)
            if not bool(finite.all()):
                wrong = [layer.name for layer, fine in zip(layers, finite.tolist()) if not fine]
                raise TrainingError(f"router logits of {wrong[0]} are not finite ({len(wrong)} of {len(layers)} "
                                    "layers); lower the learning rate, or give z_weight a value such as 0.001")
            stacks.append((layers, stack, keep))
        return stacks

    def _kept(self, shape: torch.Size, layer: MoLoRA) -> Tensor:
        """Places of the tokens that count among all of logits [..., E]."""
        if self.tokens is None:
            return torch.arange(shape[:-1].numel())
        mask = self.tokens
        if layer.spec.route == "sequence":
            mask = mask.any(1, keepdim=True)
        if mask.shape != shape[:-1]:
            raise ValueError(f"{layer.name}: token mask {tuple(mask.shape)}, router logits {tuple(shape)}")
        keep = mask.flatten().nonzero().squeeze(1)
        if not len(keep):
            raise ValueError("the token mask holds no token that counts")
        return keep


@contextmanager
def collect_routing(tokens: Tensor | None = None, prompt: Tensor | None = None) -> Iterator[Routing]:
    """Collects the router logits of the one forward pass inside.

    Leave it before ``backward()``: gradient checkpointing runs the layers again there, and they are not to count
    twice. Checkpointing must be non-reentrant.

    Args:
        tokens: [B, T], 1 or True for tokens that count in losses and statistics, such as the attention mask; None for
            all.
        prompt: [B, T], tokens whose mean decides with ``route: sequence``; ``tokens`` where it is None. A mask that
            holds the answer, or what stands after it, lets the model read ahead.

    Example:
        >>> from recbole_medmoe.layers import MoLoRA, MoLoraSpec
        >>> layer, x = MoLoRA(8, 4, MoLoraSpec(balance_weight=0.01)), torch.randn(2, 5, 8)
        >>> with collect_routing(torch.ones(2, 5)) as routing:
        ...     y = layer(x, torch.zeros(2, 5, 4))
        >>> (y.sum() + routing.loss()).backward()
    """
    routing = Routing(tokens, prompt)
    before = _CURRENT.set(routing)
    try:
        yield routing
    finally:
        _CURRENT.reset(before)


def current_routing() -> Routing | None:
    """The innermost `collect_routing` around, if any."""
    return _CURRENT.get()


@contextmanager
def given_gates(weights: Tensor) -> Iterator[None]:
    """Weights of the experts for all layers with ``route: given`` that run inside.

    Args:
        weights: [E], for every token of every row; their gradient flows back.
    """
    before = _GATES.set(weights)
    try:
        yield
    finally:
        _GATES.reset(before)


def current_gates() -> Tensor | None:
    """The weights [E] of the innermost `given_gates` around, if any."""
    return _GATES.get()


def _chosen(logits: Tensor, top_k: int) -> Tensor:
    """Logits [..., E] -> 1 for the k chosen, else 0 [..., E]."""
    return torch.zeros_like(logits).scatter(-1, logits.topk(top_k, dim=-1).indices, 1.0)


def _balance(logits: Tensor, top_k: int) -> Tensor:
    """[L, N, E] -> [L]."""
    share = _chosen(logits.detach(), top_k).mean(1) / top_k  # [L, E]
    return logits.shape[-1] * (share * logits.softmax(-1).mean(1)).sum(-1)
