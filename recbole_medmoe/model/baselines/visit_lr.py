"""VisitLR: logistic regression from the visit's codes to every medication. The row to beat."""
from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ...data.visit_tables import KINDS
from ...layers.logistic import choose_penalty, fit_logistic
from ...layers.sets import multi_hot, set_shares
from ..base import Features, ModelParams
from ..visit import VisitRecommender
from .closed_form import ClosedForm, Penalties

_FOLDS = 5
_COPY_PENALTY = 1.0
_AT_ONCE = 4096


class VisitLRParams(ModelParams):
    """Which codes, whether earlier medications are copied, and the penalties."""

    codes: tuple[Literal["diag", "proc"], ...] = Field(min_length=1, description="sets of codes of the visit")
    copy_earlier: bool = Field(description="whether medications of earlier visits get one weight that all share")
    penalties: Penalties = Field(
        description="penalties of the squared weights, chosen on a fifth of the training patients")


class VisitLR(ClosedForm, VisitRecommender):
    """``logits = x W + c``, x the codes as 0 and 1; where earlier visits are known, ``+ w s + b``, s the share of them
    that had the medication.

    w and b are the same for all medications, since few patients have a history to learn each medication's own from.
    They are fitted to logits that other patients' regressions give: beside the regression that has seen the visit
    itself, w would come out far too small.

    Everything is solved to the optimum: the penalty by the cross-entropy on a fifth of the training patients, then W
    and c on all training visits, then w and b. With fewer than two training patients the largest penalty stands, and
    nothing is copied.
    """

    Params = VisitLRParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.weights = nn.ParameterDict({kind: self.place(self.code_counts[kind], self.n_items)
                                         for kind in KINDS if kind in self.params.codes})  # [C, I], row 0 is 0
        self.intercept = self.place(self.n_items)
        if self.params.copy_earlier:
            self.copy_weight, self.copy_offset = self.place(), self.place()
        self._patients = source.visits.patients  # [U]

    def solve(self, users: Tensor, targets: Tensor) -> None:
        parts = [self._features(some) for some in users.split(_AT_ONCE)]
        x, share, known = (torch.cat(column) for column in zip(*parts))
        y = targets[:, 1:]
        _, patient = torch.unique(self._patients[users.cpu()], return_inverse=True)
        fold = (patient % _FOLDS).to(users.device)
        folds = int(fold.max()) + 1
        penalty = choose_penalty(x, y, fold == 0, self.params.penalties) if folds > 1 else max(self.params.penalties)
        fit = fit_logistic(x, y, penalty)
        for weights, rows in zip(self.weights.values(), fit.weights.split([len(w) for w in self.weights.values()])):
            weights[:, 1:] = rows
        self.intercept[1:] = fit.intercept
        if not self.params.copy_earlier or folds < 2 or not known.any():
            return
        apart = torch.zeros_like(y)  # logits of regressions that have not seen the patient [N, I - 1]
        for number in range(folds):
            seen, rest = (torch.nonzero(mask).squeeze(-1) for mask in (fold != number, fold == number))
            other = fit_logistic(x.index_select(0, seen), y[seen], penalty, start=fit)
            apart[rest] = other.logits(x.index_select(0, rest))
        columns = [values[known].reshape(-1, 1) for values in (share, y, apart)]  # [N * (I - 1), 1] each
        tied = fit_logistic(columns[0], columns[1], _COPY_PENALTY, offset=columns[2])
        self.copy_weight.copy_(tied.weights.squeeze())
        self.copy_offset.copy_(tied.intercept.squeeze())

    def _features(self, visits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Codes [N, D] as a sparse matrix, shares without [PAD] [N, I - 1], and which visits have a history [N]."""
        users = self.user_inputs(visits)
        x = torch.cat([multi_hot(users[kind][0], len(weights)) for kind, weights in self.weights.items()], dim=-1)
        share, known = self._share(users)
        return x.to_sparse(), share[:, 1:], known

    def _share(self, users: Features) -> tuple[Tensor, Tensor]:
        """Share of the earlier visits that had each medication [B, I], and whether any is known [B] bool."""
        medications, there = users["earlier_medications"]
        return set_shares(medications, there, self.n_items), there.any(-1)

    def forward(self, users: Features, items: Features) -> Tensor:
        scores = self.intercept.expand(len(users["diag"][0]), -1)  # [B, I]
        for kind, weights in self.weights.items():
            scores = scores + F.embedding_bag(users[kind][0], weights, mode="sum", padding_idx=0)
        if not self.params.copy_earlier:
            return scores
        share, known = self._share(users)
        return scores + known.unsqueeze(-1) * (self.copy_weight * share + self.copy_offset)
