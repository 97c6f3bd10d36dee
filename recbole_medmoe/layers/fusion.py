"""Several modalities of one item as soft tokens: each projected by itself and weighed, or all read side by side."""
from __future__ import annotations

from typing import Literal, Mapping, NamedTuple, Sequence

import torch
from torch import Tensor, nn

from .modalities import ModalityGate, SoftProjector, present_shares


class Known(NamedTuple):
    """What is known of I items.

    Attributes:
        present: [I, M] bool.
        features: [I, sum of D], all modalities side by side, zero where absent.
        heard: what each projector read, [I, D] each: one modality, or with ``concat`` all of them.
        logits: of the gate without the user [I, M].
    """

    present: Tensor
    features: Tensor
    heard: list[Tensor]
    logits: Tensor


class ModalityFusion(nn.Module):
    """M modalities to K soft tokens: ``sum_m w_m z_m``, w exactly 0 where a modality is missing and summing to 1.

    The tokens are summed and do not stand side by side, since a language model that normalises its tokens would undo
    the weight of a token alone.

    Args:
        widths: D of each modality, by name.
        width_out: W.
        kind: ``adaptive``, w from a gate; ``equal``, w even; ``concat``, one projector over all features and which of
            them are there.
        user_width: D of a user's state, which the gate sees.
        gate_hidden: D inside the gate.
        tokens, experts, hidden, dropout, length: as in `SoftProjector`.

    Attributes:
        heard: D of what each projector reads, by its name.
    """

    def __init__(self, widths: Mapping[str, int], width_out: int, *, kind: Literal["adaptive", "equal", "concat"],
                 user_width: int, gate_hidden: int, tokens: int, experts: int, hidden: int, dropout: float,
                 length: float) -> None:
        super().__init__()
        every, self.kind = sum(widths.values()), kind
        self.heard = {"all": every + len(widths)} if kind == "concat" else dict(widths)
        self.project = nn.ModuleDict({name: SoftProjector(
            width, width_out, tokens=tokens, experts=experts, hidden=hidden, dropout=dropout, length=length)
            for name, width in self.heard.items()})
        self.gate = ModalityGate(every, len(widths), user_width, gate_hidden) \
            if kind == "adaptive" and len(widths) > 1 else None  # nothing is to be weighed where there is one

    def forward(self, rows: Sequence[Tensor], present: Tensor) -> Known:
        """rows, M features [I, D] that are zero where absent, and present [I, M] bool -> what is known of the items."""
        features = torch.cat(list(rows), dim=-1)
        heard = [torch.cat([features, present.to(features.dtype)], dim=-1)] if self.kind == "concat" else list(rows)
        logits = torch.zeros_like(present, dtype=features.dtype) if self.gate is None else self.gate(features, present)
        return Known(present, features, heard, logits)

    def weights(self, known: Known, items: Tensor | slice, users: Tensor) -> Tensor:
        """Weight of each projector's tokens.

        Args:
            items: ids [...], or a slice of them.
            users: states [..., S] that broadcast to the items.

        Returns:
            [..., M]; with ``concat`` [..., 1], which is 1 where anything is there.
        """
        present = known.present[items]
        if self.kind == "concat":
            return present.any(-1, keepdim=True).to(known.features.dtype)
        logits = known.logits[items]
        return present_shares(logits if self.gate is None else logits + self.gate.user(users), present)

    def soft(self, known: Known, items: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Projects the items that are named, each once, however many there are.

        Args:
            items: ids [B, L].
            weights: of them [B, L, M], from `weights`.

        Returns:
            Their soft tokens [B, L, K, W], and what each expert of each projector adds to them [B, L, M E].
        """
        unique, place = torch.unique(items, return_inverse=True)
        tokens, experts = [], []
        for number, (project, row) in enumerate(zip(self.project.values(), known.heard)):
            made, gate = project(row[unique])  # [N, K, W], [N, E]
            tokens.append(weights[..., number, None, None] * made[place])
            experts.append(weights[..., number, None] * gate[place])
        return torch.stack(tokens).sum(0), torch.cat(experts, dim=-1)
