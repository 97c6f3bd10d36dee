"""RETAIN: attention over visits and over their codes, each by a network that reads time backwards.

Choi, Bahadori, Kulas, Schuetz, Stewart and Sun, "RETAIN: An Interpretable Predictive Model for Healthcare using Reverse
Time Attention Mechanism", https://arxiv.org/abs/1608.05745

    v_j = W_emb x_j                                                                                     step 1
    g_i ... g_1 = GRU(v_i ... v_1),   a_1 ... a_i = softmax(w g_1 ... w g_i)       weight of a visit     step 2
    h_i ... h_1 = GRU(v_i ... v_1),   b_j = tanh(W h_j + b)                        weights inside it     step 3
    c_i = sum over j of a_j b_j * v_j                                                                   step 4
    logits = W c_i + b                                                                                  step 5

The paper asks one question of a patient; here each visit i asks for its medications, so that x_i holds its diagnoses
and procedures, and x_j of an earlier visit its medications too. The softmax of step 5 becomes a sigmoid per medication,
as the paper has it for several labels. The constant that step 2 adds in front of its softmax has no effect, and is left
out.
"""
from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from ...data.visit_tables import KINDS, MEDICATIONS
from ...layers import Dropout
from ...layers.sets import SetEmbedding
from ..base import Features
from ..visit import TrainedVisitParams, VisitRecommender


class RETAINParams(TrainedVisitParams):
    """Sizes; the paper chooses them by search, so that all are our choice."""

    width: int = Field(ge=1, description="m, width of a visit's vector; our choice")
    hidden: int = Field(ge=1, description="p = q, width of both recurrent networks; our choice")
    dropout: float = Field(ge=0, lt=1, description="share of the visits' vectors and of the context that training "
                                                   "drops; our choice")


class RETAIN(VisitRecommender):
    """Two-level attention over the visit and those known to be earlier, read from the present backwards.

    Source: https://arxiv.org/abs/1608.05745
    """

    Params = RETAINParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p = self.params
        sizes = {**self.code_counts, MEDICATIONS: self.n_items}
        self.embeddings = nn.ModuleDict({name: SetEmbedding(count, p.width) for name, count in sizes.items()})
        self.drop = Dropout(p.dropout)
        self.alpha_rnn = nn.GRU(p.width, p.hidden, batch_first=True)
        self.alpha = nn.Linear(p.hidden, 1, bias=False)
        self.beta_rnn = nn.GRU(p.width, p.hidden, batch_first=True)
        self.beta = nn.Linear(p.hidden, p.width)
        self.output = nn.Linear(p.width, self.n_items)

    def forward(self, users: Features, items: Features) -> Tensor:
        now = torch.stack([self.embeddings[kind](users[kind][0]) for kind in KINDS]).sum(0)  # [B, D]
        earlier = torch.stack([self.embeddings[name](users[f"earlier_{name}"][0]) for name in self.embeddings]).sum(0)
        there = users[f"earlier_{MEDICATIONS}"][1]  # [B, V]
        visits = self.drop(torch.cat([earlier, now.unsqueeze(1)], dim=1)).flip(1)  # [B, V + 1, D], the present first
        known = torch.cat([there, torch.ones_like(there[:, :1])], dim=1).flip(1)  # what pads a history comes last
        scores = self.alpha(self.alpha_rnn(visits)[0]).squeeze(-1)  # [B, V + 1]
        a = scores.masked_fill(~known, -torch.inf).softmax(-1)
        b = torch.tanh(self.beta(self.beta_rnn(visits)[0]))  # [B, V + 1, D]
        return self.output(self.drop((a.unsqueeze(-1) * b * visits).sum(1)))  # [B, I]
