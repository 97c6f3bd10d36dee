"""VisitPop and RepeatLast: the most given medications for everyone, and the patient's last set again."""
from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ...layers.sets import multi_hot
from ..base import Features, ModelParams
from ..visit import VisitRecommender
from .closed_form import ClosedForm


class VisitPopParams(ModelParams):
    """Nothing to set."""


class VisitPop(ClosedForm, VisitRecommender):
    """Log-odds of the share of training visits that have a medication, half a visit added to either side.

    What any model that looks at the visit must beat.
    """

    Params = VisitPopParams
    checks_not_applicable = {"overfits_eight_rows": "one list for everyone"}

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.popularity = self.place(self.n_items)  # [I]
        self.visits = self.place()

    def solve(self, users: Tensor, targets: Tensor) -> None:
        self.visits.fill_(len(users))
        self.popularity.copy_(torch.logit((targets.sum(0) + 0.5) / (len(users) + 1)))

    def forward(self, users: Features, items: Features) -> Tensor:
        return self.popularity.expand(len(users["diag"][0]), -1)  # [B, I]


class RepeatLast(VisitPop):
    """The medications of the last visit known to be earlier, without any other; where none is known, `VisitPop`.

    In both halves popularity decides the order. The log-odds of repeated medications are raised, those of all others
    lowered, just so far that every threshold that makes sense of `VisitPop` keeps the repeated ones and nothing else.
    """

    checks_not_applicable = {"overfits_eight_rows": "one list for everyone, or the last visit's"}

    def forward(self, users: Features, items: Features) -> Tensor:
        medications, there = users["earlier_medications"]
        repeated = multi_hot(medications[:, -1], self.n_items)  # [B, I]
        apart = 2 * torch.log(2 * self.visits + 1) + math.log(2)  # above the range of popularity
        shift = torch.where(there[:, -1:], (2 * repeated - 1) * apart, torch.zeros_like(repeated))
        return self.popularity + shift
