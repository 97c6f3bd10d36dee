"""From a backbone's hidden states to one vector per text. Pure torch; hidden states are [B, T, D]."""
from __future__ import annotations

from typing import Any

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


class Readout:
    """Runs a frozen backbone on one batch and reads one vector per row.

    Only the layers that are asked for are kept, each reduced to [B, D] as soon as its block has run, so that memory
    does not grow with depth.

    Args:
        model: a transformers backbone without a head.
        kind: ``mean``, ``last`` or ``layers`` (see `EncoderSpec`).
        layers: middle layers, counted in blocks from 1; empty means the one in the middle.

    Raises:
        ConfigError: a layer that the backbone does not have.
    """

    def __init__(self, model: nn.Module, kind: str, layers: tuple[int, ...] = ()) -> None:
        self.model, self.kind = model, kind
        self.blocks: list[nn.Module] = []
        if kind == "layers":
            depth = int(model.config.num_hidden_layers)
            wanted = layers or (max(1, depth // 2),)
            wrong = [layer for layer in wanted if not 1 <= layer <= depth]
            if wrong:
                raise ConfigError([f"read-out layers {wrong}: {type(model).__name__} has layers 1 to {depth}"])
            blocks = blocks_of(model, depth)
            self.blocks = [blocks[layer - 1] for layer in wanted]

    @torch.inference_mode()
    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids [B, T] and mask [B, T] -> [B, D], or [B, (layers + 2) D] for ``layers``; float32."""
        middle: dict[int, Tensor] = {}

        def keep(place: int) -> Any:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                middle[place] = mean_tokens(output[0] if isinstance(output, tuple) else output, mask)
            return hook

        handles = [block.register_forward_hook(keep(place)) for place, block in enumerate(self.blocks)]
        try:
            options = {"use_cache": False} if getattr(self.model.config, "use_cache", None) is not None else {}
            states = self.model(input_ids=ids, attention_mask=mask, **options).last_hidden_state
        finally:
            for handle in handles:
                handle.remove()
        if self.kind == "mean":
            return mean_tokens(states, mask)
        if self.kind == "last":
            return last_token(states, mask)
        parts = [middle[place] for place in range(len(self.blocks))]
        return torch.cat([*parts, last_token(states, mask), mean_tokens(states, mask)], dim=-1)
