"""MICRON: medications follow the change of a patient's health from visit to visit.

Yang, Xiao, Glass and Sun, "Change Matters: Medication Change Prediction with Recurrent Residual Networks",
https://arxiv.org/abs/2105.01876

    h_t = NET_health([diagnoses ; procedures])                 health of visit t
    m_1 = NET_med(h_1)                                         medications of the first visit
    m_t = m_{t-1} + NET_med(h_t - h_{t-1})                     what a change of health adds and takes away

Training looks at two visits at a time, t and the one before: cross-entropy and margin of NET_med(h_t) and, with a
smaller weight, of NET_med(h_{t-1}); the reconstruction || sigmoid(NET_med(h_{t-1}) + NET_med(h_t - h_{t-1})) -
sigmoid(NET_med(h_t)) ||^2; and the interactions of the set, where it interacts at a rate above a target.

A visit without history is a first one, m_1, and trains by its own medications alone. Deviations: the weights of the
four losses stay as they are set, where the paper moves them while it trains; m_t is cut by the one threshold that all
models share, where the paper keeps the former set and has one threshold to add and one to remove. NET_med has no
constants, so that where nothing changes nothing is added (our choice). Without a list of interactions their loss is
left out, and a line of the log says so.
"""
from __future__ import annotations

import logging
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ...data.visit_tables import KINDS, MEDICATIONS
from ...layers import Dropout
from ...layers.set_losses import interaction_loss, interaction_rate, multi_label_margin
from ...layers.sets import SetEmbedding, multi_hot
from ..base import Features
from ..visit import TrainedVisitParams, VisitRecommender

log = logging.getLogger("recbole_medmoe")


class MICRONParams(TrainedVisitParams):
    """Sizes, and the weights of the losses beside the cross-entropy, whose weight is 1."""

    width: int = Field(ge=1, description="s, width of embeddings, of health and inside NET_med; our choice")
    dropout: float = Field(ge=0, lt=1, description="share of the embedded codes that training drops; our choice")
    current_share: float = Field(gt=0, le=1, description="weight of the visit's own medications beside those of the "
                                                         "visit before; 0.75 in the authors' code")
    margin_weight: float = Field(ge=0, description="weight of the margin; our choice")
    reconstruction_weight: float = Field(ge=0, description="weight of the reconstruction; our choice")
    ddi_weight: float = Field(ge=0, description="weight of the interactions; our choice")
    target_ddi: float = Field(ge=0, le=1, description="rate of interactions above which they count; 0.08 in the "
                                                      "authors' code")


class MICRON(VisitRecommender):
    """Recurrent residual network of medication changes.

    Source: https://arxiv.org/abs/2105.01876
    """

    Params = MICRONParams

    interacting: Tensor

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        width = self.params.width
        self.embeddings = nn.ModuleDict({kind: SetEmbedding(self.code_counts[kind], width) for kind in KINDS})
        self.drop = Dropout(self.params.dropout)
        self.health_net = nn.Linear(2 * width, width)
        self.medication_net = nn.Sequential(nn.Linear(width, width, bias=False), nn.ReLU(),
                                            nn.Linear(width, self.n_items, bias=False))
        if self.ddi is None:
            log.warning("MICRON: no list of interactions (ddi.csv): their loss is left out")
            return
        self.register_buffer("interacting", self.ddi[1:, 1:].float(), persistent=False)  # [M, M]

    def health(self, users: Features) -> Tensor:
        """h of the earlier visits and of the present one [B, V + 1, D]; what pads a history has no meaning."""
        parts = [torch.cat([self.embeddings[kind](users[f"earlier_{kind}"][0]),
                            self.embeddings[kind](users[kind][0]).unsqueeze(1)], dim=1) for kind in KINDS]
        return self.health_net(self.drop(torch.cat(parts, dim=-1)))

    def forward(self, users: Features, items: Features) -> Tensor:
        health, there = self.health(users), users[f"earlier_{MEDICATIONS}"][1]  # [B, V + 1, D], [B, V]
        first = there.shape[1] - there.sum(-1)  # column of the first visit [B]
        start = health[torch.arange(len(health), device=first.device), first]  # h_1 [B, D]
        changes = self.medication_net(health[:, 1:] - health[:, :-1])  # [B, V, I]
        return self.medication_net(start) + (changes * there.unsqueeze(-1)).sum(1)  # [B, I]

    def visit_loss(self, users: Features, truth: Tensor) -> Tensor:
        p, truth = self.params, truth[:, 1:]
        before, now = self.health(users)[:, -2:].unbind(1)  # [B, D]
        given = [self.medication_net(h)[:, 1:].float() for h in (now, before, now - before)]  # [B, M] each
        sets, there = users[f"earlier_{MEDICATIONS}"]
        former, known = multi_hot(sets[:, -1], self.n_items)[:, 1:], there[:, -1].float()  # [B, M], [B]
        shares = torch.sigmoid(given[0])
        loss = torch.lerp(self._fit(given[0], truth), self._fit(given[1], former), known * (1 - p.current_share))
        rebuilt = (torch.sigmoid(given[1] + given[2]) - shares).square().mean(-1)
        loss = loss + p.reconstruction_weight * known * rebuilt  # [B]
        if self.ddi is not None:
            over = interaction_rate((shares >= 0.5).float(), self.interacting) > p.target_ddi
            loss = loss + p.ddi_weight * over * interaction_loss(shares, self.interacting)
        return loss.mean()

    def _fit(self, scores: Tensor, truth: Tensor) -> Tensor:
        """Cross-entropy and margin [B] of logits and truth [B, M]."""
        bce = F.binary_cross_entropy_with_logits(scores, truth, reduction="none").mean(-1)
        return bce + self.params.margin_weight * multi_label_margin(torch.sigmoid(scores), truth)
