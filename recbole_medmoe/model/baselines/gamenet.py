"""GAMENet: a patient's state asks two memories, one of what medications go together, one of the patient's own past.

Shang, Xiao, Ma, Li and Sun, "GAMENet: Graph Augmented MEmory Networks for Recommending Medication Combination",
https://arxiv.org/abs/1809.01852

    h_d, h_p = GRU(diagnoses so far), GRU(procedures so far);   q = f([h_d ; h_p])                       query
    Z = A tanh(A W_e) W for the EHR graph and for the DDI graph;   M_b = Z_ehr - beta Z_ddi              memory bank
    o_b = M_b' softmax(M_b q)                                                                            read it
    s = softmax(q_1 q ... q_{t-1} q);   o_d = M_b' (sum over j of s_j m_j)       dynamic memory of earlier sets m_j
    logits = f'([q ; o_b ; o_d])

The loss of a visit is pi BCE + (1 - pi) margin while the set it gives (probabilities from 1/2) interacts at most at the
rate s. Above, it is with probability exp(-(rate - s) / temperature) the interactions of that set instead; the
temperature falls with every epoch.

f and f' have one hidden layer. A is the adjacency matrix with itself added, normalised on both sides; that of the EHR
graph counts how often training visits have two medications together. A visit without history has an empty dynamic
memory, o_d = 0. Without a list of interactions there is neither a DDI graph nor its loss; a line of the log says so.
"""
from __future__ import annotations

import logging
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ...data.visit_tables import KINDS, MEDICATIONS, Ragged, sets_of
from ...layers import Dropout
from ...layers.set_losses import interaction_loss, interaction_rate, multi_label_margin
from ...layers.sets import SetEmbedding, multi_hot, padded_rows
from ..base import Features
from ..visit import TrainedVisitParams, VisitRecommender

log = logging.getLogger("recbole_medmoe")
_AT_ONCE = 4096


class GAMENetParams(TrainedVisitParams):
    """Sizes, and how the losses are combined."""

    width: int = Field(ge=1, description="D of embeddings, states and memories; our choice")
    dropout: float = Field(ge=0, lt=1, description="share of the embedded visits that training drops; our choice")
    ddi_graph_weight: float = Field(description="beta at the start, the weight of the DDI graph; learned; our choice")
    bce_weight: float = Field(gt=0, le=1, description="pi, share of the cross-entropy beside the margin; our choice")
    target_ddi: float = Field(ge=0, le=1, description="s, rate of interactions that a set may have; 0.05 in the "
                                                      "authors' code")
    temperature: float = Field(gt=0, description="Temp at the start; 0.5 in the authors' code")
    temperature_decay: float = Field(gt=0, le=1, description="epsilon, factor of the temperature after each epoch; "
                                                             "0.85 in the authors' code")


class GAMENet(VisitRecommender):
    """Graph augmented memory network.

    Source: https://arxiv.org/abs/1809.01852
    """

    Params = GAMENetParams

    ehr_graph: Tensor
    ddi_graph: Tensor
    interacting: Tensor
    trained: Tensor

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p, medications = self.params, self.n_items - 1
        self.embeddings = nn.ModuleDict({kind: SetEmbedding(self.code_counts[kind], p.width) for kind in KINDS})
        self.drop = Dropout(p.dropout)
        self.rnns = nn.ModuleDict({kind: nn.GRU(p.width, p.width, batch_first=True) for kind in KINDS})
        self.query = nn.Sequential(nn.Linear(2 * p.width, 2 * p.width), nn.ReLU(), nn.Linear(2 * p.width, p.width))
        self.ehr = GraphNetwork(medications, p.width)
        self.output = nn.Sequential(nn.Linear(3 * p.width, 2 * p.width), nn.ReLU(),
                                    nn.Linear(2 * p.width, self.n_items))
        visits, row = torch.unique(source.training_pairs()[0], return_inverse=True)
        self._epoch_visits = max(1, len(visits))
        counts = co_occurrence(sets_of(row, source.training_pairs()[1], len(visits)), self.n_items)[1:, 1:]  # [M, M]
        self.register_buffer("ehr_graph", normalised(counts))  # of training visits, hence saved
        self.register_buffer("trained", torch.zeros((), dtype=torch.int64))  # visits that training has seen so far
        if self.ddi is None:
            log.warning("GAMENet: no list of interactions (ddi.csv): the DDI graph and its loss are left out")
            return
        self.ddi_network = GraphNetwork(medications, p.width)
        self.beta = nn.Parameter(torch.tensor(float(p.ddi_graph_weight)))
        self.register_buffer("interacting", self.ddi[1:, 1:].float(), persistent=False)  # [M, M]
        self.register_buffer("ddi_graph", normalised(self.interacting), persistent=False)

    def memory_bank(self) -> Tensor:
        """M_b [M, D]."""
        bank = self.ehr(self.ehr_graph)
        return bank if self.ddi is None else bank - self.beta * self.ddi_network(self.ddi_graph)

    def queries(self, users: Features) -> Tensor:
        """q of the earlier visits and of the present one [B, V + 1, D]; what pads a history has no meaning."""
        there = users[f"earlier_{KINDS[0]}"][1]  # [B, V]
        states = []
        for kind in KINDS:
            earlier, now = (self.embeddings[kind](users[name][0]) for name in (f"earlier_{kind}", kind))
            visits = self.drop(torch.cat([earlier, now.unsqueeze(1)], dim=1))  # [B, V + 1, D]
            states.append(run_from_first(self.rnns[kind], visits, there.shape[1] - there.sum(-1)))
        return self.query(torch.cat(states, dim=-1))

    def forward(self, users: Features, items: Features) -> Tensor:
        queries, bank = self.queries(users), self.memory_bank()
        past, q = queries[:, :-1], queries[:, -1]  # [B, V, D], [B, D]
        sets, there = users[f"earlier_{MEDICATIONS}"]  # [B, V, M'], [B, V]
        content = (q @ bank.T).softmax(-1) @ bank  # o_b [B, D]
        closeness = (past @ q.unsqueeze(-1)).squeeze(-1).masked_fill(~there, -torch.inf)  # [B, V]
        s = torch.where(there.any(-1, keepdim=True), closeness, torch.zeros_like(closeness)).softmax(-1) * there
        weights = s.float().unsqueeze(-1).expand(sets.shape).flatten(1)
        given = weights.new_zeros(len(q), self.n_items).scatter_add(1, sets.flatten(1), weights)  # [B, I]
        return self.output(torch.cat([q, content, given[:, 1:] @ bank], dim=-1))  # [B, I]

    def set_loss(self, scores: Tensor, truth: Tensor) -> Tensor:
        """The combined loss; see the top of this file."""
        p = self.params
        scores, truth = scores[:, 1:].float(), truth[:, 1:]
        shares = torch.sigmoid(scores)
        loss = p.bce_weight * F.binary_cross_entropy_with_logits(scores, truth, reduction="none").mean(-1)
        loss = loss + (1 - p.bce_weight) * multi_label_margin(shares, truth)  # [B]
        if self.ddi is not None:
            over = interaction_rate((shares >= 0.5).float(), self.interacting) - p.target_ddi
            temperature = p.temperature * p.temperature_decay ** (self.trained // self._epoch_visits)
            chosen = (over > 0) & (torch.rand_like(over) < torch.exp(-over / temperature))
            loss = torch.where(chosen, interaction_loss(shares, self.interacting), loss)
        self.trained += len(truth)
        return loss.mean()


class GraphNetwork(nn.Module):
    """``A tanh(A W_e) W``: two graph convolutions over a vector for each of M medications."""

    def __init__(self, medications: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(medications, width) * width ** -0.5)
        self.linear = nn.Linear(width, width, bias=False)

    def forward(self, graph: Tensor) -> Tensor:
        """graph [M, M] -> [M, D]."""
        return self.linear(graph @ torch.tanh(graph @ self.vectors))


def co_occurrence(sets: Ragged, width: int) -> Tensor:
    """How many sets hold both of two ids [width, width]; on the diagonal, how many hold one."""
    counts = torch.zeros(width, width)
    for rows in torch.arange(len(sets.sizes)).split(_AT_ONCE):
        held = multi_hot(padded_rows(*sets, rows), width)
        counts += held.T @ held
    return counts


def normalised(graph: Tensor) -> Tensor:
    """``D^-1/2 (A + 1) D^-1/2`` of an adjacency matrix A [M, M], D the sums of its rows."""
    linked = graph + torch.eye(len(graph))
    scale = linked.sum(-1).rsqrt()
    return scale.unsqueeze(-1) * linked * scale


def run_from_first(rnn: nn.GRU, visits: Tensor, padding: Tensor) -> Tensor:
    """States of a network that starts at each row's first visit.

    Args:
        visits: [B, V, D], rows filled up in front.
        padding: how many columns fill up each row [B].

    Returns:
        [B, V, D] in the columns of ``visits``; what pads a row has no meaning.
    """
    columns = torch.arange(visits.shape[1], device=visits.device)
    ahead = (columns + padding.unsqueeze(-1)).clamp(max=len(columns) - 1)  # [B, V]: the first visit to column 0
    back = (columns - padding.unsqueeze(-1)).clamp(min=0)
    moved = visits.gather(1, ahead.unsqueeze(-1).expand_as(visits))
    states = rnn(moved)[0]
    return states.gather(1, back.unsqueeze(-1).expand_as(states))
