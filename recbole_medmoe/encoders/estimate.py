"""What tuning a backbone will take, worked out from its config before any weight is read."""
from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .loading import quiet_transformers
from .lora import LoraSpec
from .readout import blocks_of

ASSUMED_SHARE = 0.4
"""Share of a device's rate of large matrix products that training is assumed to reach; `benchmarks/teacher_7b.py` tells
what it does reach."""
_TRAINED = 16  # bytes per trained number: itself, its gradient and AdamW's two means, in float32
_NF4 = 4.127 / 8  # bytes per number: 4 bits, and the two scales of double quantisation (arXiv 2305.14314)
_PRODUCT = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True)
class Shape:
    """A backbone without a head, in numbers.

    Args:
        parameters: all of it.
        block: parameters of one transformer block.
        blocks: how many there are.
        width: D.
        inner: widest linear map of a block.
        maps: name of each linear map of a block to (inputs, outputs).
    """

    parameters: int
    block: int
    blocks: int
    width: int
    inner: int
    maps: dict[str, tuple[int, int]]

    @classmethod
    def read(cls, folder: Path) -> Shape:
        """Counts what the config of a folder describes; its weights are neither read nor made.

        Raises:
            ConfigError: no list of blocks.
        """
        with quiet_transformers():
            from transformers import AutoConfig, AutoModel

            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            with torch.device("meta"):
                model: Any = AutoModel.from_config(config)
        blocks = blocks_of(model, int(config.num_hidden_layers))
        maps = {name.rpartition(".")[2]: (part.in_features, part.out_features)
                for name, part in blocks[0].named_modules() if isinstance(part, nn.Linear)}
        return cls(_count(model), _count(blocks[0]), len(blocks), int(config.hidden_size),
                   max(max(sizes) for sizes in maps.values()) if maps else int(config.hidden_size), maps)

    def adapters(self, lora: LoraSpec, tuned: int) -> int:
        """Numbers in the adapters of ``tuned`` blocks."""
        return tuned * sum(lora.rank * sum(sizes) for name, sizes in self.maps.items() if name in lora.targets)


@dataclass(frozen=True)
class Plan:
    """How a backbone is tuned.

    Args:
        lora: None for a frozen backbone.
        tuned: blocks that carry adapters.
        lower, upper: number formats of the blocks without and with adapters.
        quantised: whether the blocks' linear maps are held in 4 bits.
        checkpointing: whether a tuned block keeps its input alone for the backward pass.
        batch_tokens: most tokens that run at once.
        head: trained numbers beside the adapters.
    """

    lora: LoraSpec | None
    tuned: int
    lower: torch.dtype
    upper: torch.dtype
    quantised: bool
    checkpointing: bool
    batch_tokens: int
    head: int


def weight_bytes(shape: Shape, plan: Plan) -> int:
    """Bytes of the frozen weights on the device."""
    maps = sum(inputs * outputs for inputs, outputs in shape.maps.values())
    linear = _NF4 if plan.quantised else 0.0
    found = (shape.parameters - shape.blocks * shape.block) * plan.upper.itemsize
    for count, dtype in ((shape.blocks - plan.tuned, plan.lower), (plan.tuned, plan.upper)):
        found += count * (shape.block - maps) * dtype.itemsize + count * maps * (linear or dtype.itemsize)
    return round(found)


def trained_bytes(shape: Shape, plan: Plan) -> int:
    """Bytes of adapters and head with all that AdamW keeps of them."""
    return _TRAINED * (plan.head + (shape.adapters(plan.lora, plan.tuned) if plan.lora is not None else 0))


def kept_bytes(shape: Shape, plan: Plan, tokens: int, longest: int) -> int:
    """Bytes kept for the backward pass of a step, as a Llama block of transformers with all maps tuned keeps them.

    Of each token, F numbers four times: inputs, activation and product of the gate. D numbers eight times: queries,
    keys, values and output of attention, inputs of the adapters and of both norms; four times more where each adapter
    has an input of its own, by dropout or in bfloat16, in which the norms still compute in float32. Further what
    adapters give inside, a mask of each one's inputs where there is dropout, a row of the attention mask, and above all
    blocks the input of the last norm.

    Args:
        tokens: of the step.
        longest: tokens of the longest text in it.
    """
    if plan.lora is None:
        return 0
    size, targets = plan.upper.itemsize, [shape.maps[name] for name in plan.lora.targets if name in shape.maps]
    masks = sum(inputs for inputs, _ in targets) if plan.lora.dropout else 0
    apart = bool(masks) or size < 4
    block = (4 * size * shape.inner + (10 * size + 8 if apart else 8 * size) * shape.width
             + size * (plan.lora.rank * len(targets) + longest) + 4 * masks)
    last = 4 * tokens * shape.width
    if not plan.checkpointing:
        return tokens * plan.tuned * block + last
    return tokens * plan.tuned * size * shape.width + min(tokens, plan.batch_tokens) * block + last


def epoch_operations(shape: Shape, plan: Plan, tokens: int, length: float) -> tuple[float, float]:
    """Floating-point operations over all tokens of an epoch: those of the blocks without adapters, and of the rest.

    Two per weight and token forward, and as many backward, since frozen weights want no gradient of their own;
    checkpointing runs forward once more. Attention over ``length`` tokens is counted in full.
    """
    forward = tokens * (2.0 * shape.block + 4.0 * shape.width * length)
    passes = 1 if plan.lora is None else 3 if plan.checkpointing else 2
    return (shape.blocks - plan.tuned) * forward, passes * plan.tuned * forward


def product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of a large matrix product, measured here and now."""
    size = _PRODUCT.get(device.type, 1024)
    factor = torch.ones(size, size, device=device, dtype=dtype)
    best = 0.0
    for _ in range(4):   # the first one also warms up
        started = _now(device)
        factor @ factor
        best = max(best, 2.0 * size ** 3 / (_now(device) - started))
    return best


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _count(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())
