"""LoRA on a backbone's linear maps, by peft: y = W x + (alpha / r) B A x.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", https://arxiv.org/abs/2106.09685
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..errors import ConfigError
from .loading import quiet_transformers


@dataclass(frozen=True)
class LoraSpec:
    """Low-rank adapters.

    Args:
        rank: r, rows of A and columns of B.
        alpha: the adapter's output is scaled by alpha / r.
        dropout: share of the adapter's inputs that training leaves out.
        targets: names of linear maps, as peft matches them: the whole name or its end after a dot.
    """

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]


def add_lora(model: nn.Module, spec: LoraSpec) -> None:
    """Puts adapters into a frozen backbone; they alone are trained then, in float32. B is zero: nothing changes yet.

    Raises:
        ConfigError: targets that match no linear map; the message lists those that there are.
    """
    with quiet_transformers():
        from peft import LoraConfig, inject_adapter_in_model
        from transformers.pytorch_utils import Conv1D

        linear = [name for name, module in model.named_modules() if isinstance(module, (nn.Linear, Conv1D))]
        wrong = [target for target in spec.targets
                 if not any(name == target or name.endswith(f".{target}") for name in linear)]
        if wrong:
            known = sorted({name.rpartition(".")[2] for name in linear})
            raise ConfigError([f"lora_targets {wrong}: the tuned blocks of {type(model).__name__} have no such linear "
                               f"map; there are {', '.join(known)}"])
        # peft's alpha is any number, though annotated as a whole one
        config = LoraConfig(r=spec.rank, lora_alpha=spec.alpha, lora_dropout=spec.dropout,  # type: ignore[arg-type]
                            target_modules=list(spec.targets), bias="none")
        inject_adapter_in_model(config, model)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(torch.float32)  # a bfloat16 backbone must not coarsen what is learned
