"""From a backbone's hidden states to one vector per text. Pure torch; hidden states are [B, T, D]."""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..errors import ConfigError


def mean_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of states [B, T, D] over the real tokens of mask [B, T], in float32 -> [B, D]."""
    weights = mask.unsqueeze(-1).to(torch.float32)
    return (states.to(torch.float32) * weights).sum(1) / weights.sum(1).clamp(min=1)


def last_token(states: Tensor, mask: Tensor) -> Tensor:
    """State of the last real token of each row; padding is on the right -> [B, D] float32."""
    last = mask.sum(1).to(torch.int64).clamp(min=1) - 1
    return states[torch.arange(len(states), device=states.device), last].to(torch.float32)


def blocks_of(model: nn.Module, count: int) -> nn.ModuleList:
    """The list of the backbone's transformer blocks.

    Raises:
        ConfigError: no list of that length, so that middle layers cannot be read.
    """
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise ConfigError([f"read-out 'layers': {type(model).__name__} has no list of {count} blocks; use last or mean"])


@contextmanager
def captured(blocks: Mapping[int, nn.Module], reduce: Callable[[Tensor], Tensor]) -> Iterator[dict[int, Tensor]]:
    """Collects what blocks give out while a backbone runs.

    Args:
        blocks: number to block.
        reduce: applied to each output [B, T, D] as soon as its block has run, so that memory need not grow with depth.

    Yields:
        Number to reduced output, filled in by each run.
    """
    found: dict[int, Tensor] = {}

    def keep(number: int) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            found[number] = reduce(output[0] if isinstance(output, tuple) else output)
        return hook

    handles = [block.register_forward_hook(keep(number)) for number, block in blocks.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def last_states(model: nn.Module, mask: Tensor, **inputs: Tensor) -> Tensor:
    """Runs a backbone on ``input_ids`` [B, T] or ``inputs_embeds`` [B, T, D] -> states of its last layer [B, T, D]."""
    options = {"use_cache": False} if getattr(model.config, "use_cache", None) is not None else {}
    return model(attention_mask=mask, **inputs, **options).last_hidden_state


def middle_layers(depth: int, kind: str, layers: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Numbers of the layers below the last that a read-out reads, counted in blocks from 1.

    Args:
        depth: blocks of the backbone.
        kind: ``mean``, ``last`` or ``layers`` (see `EncoderSpec`).
        layers: what was asked for; empty means the one in the middle.

    Raises:
        ConfigError: a layer that the backbone does not have.
    """
    if kind != "layers":
        return ()
    wrong = [layer for layer in layers if not 1 <= layer <= depth]
    if wrong:
        raise ConfigError([f"read-out layers {wrong}: the backbone has layers 1 to {depth}"])
    return layers or (max(1, depth // 2),)


def read_out(kind: str, middle: Sequence[Tensor], states: Tensor, mask: Tensor) -> Tensor:
    """One vector per row.

    Args:
        kind: ``mean``, ``last`` or ``layers`` (see `EncoderSpec`).
        middle: mean states [B, D] of the layers of `middle_layers`.
        states: of the last layer [B, T, D].
        mask: real tokens [B, T].

    Returns:
        [B, D], or [B, (layers + 2) D] for ``layers``; float32.
    """
    if kind == "mean":
        return mean_tokens(states, mask)
    if kind == "last":
        return last_token(states, mask)
    return torch.cat([*middle, last_token(states, mask), mean_tokens(states, mask)], dim=-1)


class Readout:
    """Runs a frozen backbone on one batch and reads one vector per row.

    Args:
        model: a transformers backbone without a head.
        kind: ``mean``, ``last`` or ``layers`` (see `EncoderSpec`).
        layers: middle layers, see `middle_layers`.

    Raises:
        ConfigError: a layer that the backbone does not have.
    """

    def __init__(self, model: nn.Module, kind: str, layers: tuple[int, ...] = ()) -> None:
        self.model, self.kind = model, kind
        depth = int(model.config.num_hidden_layers)
        self.layers = middle_layers(depth, kind, layers)
        blocks = blocks_of(model, depth) if self.layers else []
        self.blocks = {layer: blocks[layer - 1] for layer in self.layers}

    @torch.inference_mode()
    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids [B, T] and mask [B, T] -> [B, D], or [B, (layers + 2) D] for ``layers``; float32."""
        with captured(self.blocks, lambda states: mean_tokens(states, mask)) as middle:
            states = last_states(self.model, mask, input_ids=ids)
        return read_out(self.kind, [middle[layer] for layer in self.layers], states, mask)
