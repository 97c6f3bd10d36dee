"""A language model cut in two: lower blocks, frozen, whose outputs can be kept, and upper blocks that carry LoRA.

Both halves are whole transformers models with fewer blocks; the upper one is fed by ``inputs_embeds``. So masks,
positions and rotary embeddings are transformers' own. That a backbone can be cut this way is proved on a few tokens
when it is cut: one that adds positions or scales its inputs before the first block is refused.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .loading import load_backbone
from .lora import LoraSpec, add_lora
from .readout import blocks_of, captured, last_states, mean_tokens, middle_layers, read_out

_PROBE = 8  # tokens of the text on which a cut is proved


class SplitBackbone(nn.Module):
    """A frozen causal backbone without a head, cut below its top blocks; only the LoRA tensors of these are trained.

    Args:
        folder: the backbone in the Hugging Face layout.
        tuned: n blocks at the top that carry LoRA; None for all, then the lower half is the embedding alone.
        kind: read-out, see `EncoderSpec`.
        layers: middle layers of the read-out, counted in the whole backbone.
        lora: the adapters; None for none, so that nothing is trained.
        device: where both halves run.
        lower_dtype: number format of the lower half, and of its outputs.
        upper_dtype: number format of the upper half's frozen weights.
        checkpointing: keep of each block in the upper half only its input for the backward pass, which runs the block
            again: far less memory for about a third more work (Chen et al., https://arxiv.org/abs/1604.06174).
        quantise: see `load_backbone`.

    Attributes:
        cut: number of blocks in the lower half.
        width: D of `leave`.
        limit: most tokens that the backbone takes, None where it does not say.

    Raises:
        ConfigError: more blocks than there are, a layer that is not there, a target that matches nothing, or a backbone
            that can not be cut, or whose blocks can not be run again; as `load_backbone`.
    """

    def __init__(self, folder: Path, *, tuned: int | None, kind: str, layers: tuple[int, ...],
                 lora: LoraSpec | None, device: torch.device, lower_dtype: torch.dtype, upper_dtype: torch.dtype,
                 checkpointing: bool = False, quantise: str | None = None) -> None:
        super().__init__()
        self.lower, upper, self.cut = load_halves(folder, tuned, device, lower_dtype, upper_dtype, quantise=quantise)
        depth = self.cut + int(upper.config.num_hidden_layers)
        self.kind, self.layers = kind, middle_layers(depth, kind, layers)
        self.limit = getattr(upper.config, "max_position_embeddings", None)
        if lora is not None:
            add_lora(upper, lora)
        if checkpointing:
            run_blocks_again(upper)
        self.upper = upper
        self.dtype = upper_dtype
        self.width = int(upper.config.hidden_size) * (len(self.layers) + 2 if kind == "layers" else 1)
        self.train(False)

    @property
    def device(self) -> torch.device:
        """Where it is now."""
        return next(self.upper.parameters()).device

    @property
    def is_tuned(self) -> bool:
        """Whether the adapters have learned anything; until then the backbone reads as it did without them."""
        return any(bool(weight.any()) for name, weight in self.upper.named_parameters() if ".lora_B." in name)

    def train(self, mode: bool = True) -> SplitBackbone:
        """As in torch, but the lower half stays in evaluation: what is kept of it must hold for ever."""
        super().train(mode)
        self.lower.eval()
        return self

    @torch.no_grad()
    def enter(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the lower half.

        Args:
            ids: [B, T], padded on the right.
            mask: [B, T], 1 for real tokens.

        Returns:
            States on entry to the upper half [B, T, D], and the means of the middle layers that lie in the lower half
            [B, L, D] float32.
        """
        if not self.cut:
            return self.lower(ids), torch.zeros(len(ids), 0, 0, device=ids.device)
        blocks = blocks_of(self.lower, self.cut)
        below = [layer for layer in self.layers if layer <= self.cut]
        with torch.autocast(ids.device.type, enabled=False), \
                captured({layer: blocks[layer - 1] for layer in below}, lambda s: mean_tokens(s, mask)) as middle, \
                captured({self.cut: blocks[-1]}, lambda states: states) as top:
            last_states(self.lower, mask, input_ids=ids)
        means = torch.stack([middle[layer] for layer in below], dim=1) if below else mask.new_zeros(
            (len(ids), 0, 0), dtype=torch.float32)
        return top[self.cut], means

    def leave(self, states: Tensor, means: Tensor, mask: Tensor) -> Tensor:
        """Runs the upper half and reads out.

        Args:
            states: [B, T, D], from `enter`.
            means: [B, L, D], from `enter`.
            mask: [B, T], 1 for real tokens.

        Returns:
            [B, width] float32.
        """
        blocks = blocks_of(self.upper, int(self.upper.config.num_hidden_layers))
        above = {layer: blocks[layer - self.cut - 1] for layer in self.layers if layer > self.cut}
        # Reduced outside of the blocks: what is done inside would have to be done again by checkpointing.
        with captured(above, lambda states: states) as middle:
            top = last_states(self.upper, mask, inputs_embeds=states.to(self.dtype))
        below = iter(means.unbind(1))
        parts = [mean_tokens(middle[layer], mask) if layer in above else next(below) for layer in self.layers]
        return read_out(self.kind, parts, top, mask)


def embedding_table(model: nn.Module) -> nn.Module:
    """The table of a backbone's token embeddings.

    Raises:
        ConfigError: it has none.
    """
    try:
        table = model.get_input_embeddings()  # type: ignore[operator]
    except NotImplementedError:  # what transformers raises for a model that reads no tokens
        table = None
    if table is None:
        raise ConfigError([f"backbone of {type(model).__name__} has no table of token embeddings, so that nothing can "
                           "stand among its tokens; use a model of the Llama kind (Llama, Mistral, Qwen)"])
    return table


def load_halves(folder: Path, tuned: int | None, device: torch.device, lower_dtype: torch.dtype,
                upper_dtype: torch.dtype, *, head: bool = False, quantise: str | None = None
                ) -> tuple[nn.Module, Any, int]:
    """Both halves of a backbone, frozen, and the number of blocks in the lower one.

    Args:
        folder, tuned, device, lower_dtype, upper_dtype, quantise: see `SplitBackbone`.
        head: leave the upper half the head that predicts the next token.

    Returns:
        The lower half, or the token embedding alone where it has no block; the upper half, fed by ``inputs_embeds``.

    Raises:
        ConfigError: more blocks than there are, or a backbone that can not be cut; as `load_backbone`.
    """
    _, upper = load_backbone(folder, device, upper_dtype, head=head, quantise=quantise)
    table = embedding_table(upper)
    depth = int(upper.config.num_hidden_layers)
    if tuned is not None and tuned > depth:
        raise ConfigError([f"tuned_layers {tuned}: the backbone has {depth} layers; null tunes all of them"])
    cut = 0 if tuned is None else depth - tuned
    keep_blocks(upper.base_model if head else upper, cut, depth)
    if cut:
        _, lower = load_backbone(folder, device, lower_dtype, quantise=quantise)
        keep_blocks(lower, 0, cut)
    else:
        lower = table
    upper.set_input_embeddings(nn.Identity())  # fed by the lower half; saves its memory
    return lower, upper, cut


def run_blocks_again(model: Any) -> None:
    """Switches on gradient checkpointing, the kind that keeps routers' gradients.

    Raises:
        ConfigError: a model that cannot do it.
    """
    if not model.supports_gradient_checkpointing:
        raise ConfigError([f"gradient_checkpointing: {type(model).__name__} cannot run its blocks again; set it to "
                           "False"])
    model.gradient_checkpointing_enable({"use_reentrant": False})


@torch.no_grad()
def keep_blocks(model: nn.Module, start: int, stop: int) -> None:
    """Takes all blocks of a backbone away but those from ``start`` up to ``stop``.

    Raises:
        ConfigError: what is left does not compute what it computed within the whole.
    """
    blocks = blocks_of(model, int(model.config.num_hidden_layers))
    before = blocks[start - 1] if start else model.get_input_embeddings()
    ids = torch.arange(_PROBE, device=next(model.parameters()).device).unsqueeze(0)  # [1, T]
    mask = torch.ones_like(ids)
    with captured({0: before, 1: blocks[stop - 1]}, lambda states: states) as whole:
        last_states(model, mask, input_ids=ids)
    kinds = getattr(model.config, "layer_types", None)  # e.g. sliding attention in some blocks
    del blocks[stop:], blocks[:start]
    for part in blocks.modules():
        if isinstance(getattr(part, "layer_idx", None), int):  # its place in a cache of keys and values
            part.layer_idx -= start
    model.config.num_hidden_layers = stop - start
    if kinds is not None:
        model.config.layer_types = list(kinds[start:stop])
    with captured({1: blocks[-1]}, lambda states: states) as part:
        last_states(model, mask, inputs_embeds=whole[0])
    if not torch.allclose(part[1], whole[1], rtol=1e-3, atol=1e-3 * float(whole[1].abs().max())):
        raise ConfigError([f"backbone of {type(model).__name__} cannot be cut: blocks {start + 1} to {stop} compute "
                           "something else alone, since it changes their input outside of its blocks; use a model of "
                           "the Llama kind (Llama, Mistral, Qwen)"])
