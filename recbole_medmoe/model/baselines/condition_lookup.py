"""ConditionLookup: the mean of the training patients with exactly the same conditions. How far a table goes."""
from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from ...data.requests import FeatureRequest
from ..base import Features, ModelParams
from .closed_form import ClosedForm
from .feature_ridge import refuse_unseen


class ConditionLookupParams(ModelParams):
    """Which columns, and how much a small group is believed."""

    code_fields: tuple[str, ...] = Field(description="token_seq columns of the .user file, empty for all of them")
    least_patients: int = Field(ge=1, description="patients that a set of codes needs for a line of its own; from 2 "
                                                  "on no single patient stands in the saved table")
    smoothing: float = Field(ge=0, description="patients that the fall-back counts for beside a group's own")


class ConditionLookup(ClosedForm):
    """Share of patients with the same set of codes who have the item, drawn towards the mean over the single codes.

    A set that training has not met (often enough) falls back on the single codes, a patient without known codes on
    popularity.

    Raises:
        ConfigError: a split that ranks items without a training row.
    """

    Params = ConditionLookupParams
    checks_not_applicable = {
        "overfits_eight_rows": "a set of codes that fewer than least_patients have gets no line of its own"}

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        refuse_unseen(type(self).__name__, source, "use FeatureRidge with --item_side=features")
        self.popularity = self.place(self.n_items)
        self.by_code = self.place(self.width("user"), self.n_items)
        self._reserve(0)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return (FeatureRequest("codes", "user", "codes", fields=params.code_fields),)

    def _reserve(self, groups: int) -> None:
        """Room for G distinct sets of codes; how many there are is known after training only."""
        device = self.popularity.device
        self.groups = self.place(groups, self.width("user"), device=device)  # [G, D]
        self.by_group = self.place(groups, self.n_items, device=device)  # [G, I]
        self.sizes = self.place(groups, device=device)  # [G]

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        if f"{prefix}groups" in state:
            self._reserve(len(state[f"{prefix}groups"]))
        super()._load_from_state_dict(state, prefix, *rest)

    def solve(self, users: Tensor, targets: Tensor) -> None:
        codes = self.read("user", self.user_inputs(users))  # [N, D]
        self.popularity.copy_(targets.mean(0))
        self.by_code.copy_(self._shrunk(codes.T @ targets, codes.sum(0), self.popularity))
        groups, member, sizes = torch.unique(codes, dim=0, return_inverse=True, return_counts=True)
        sums = torch.zeros(len(groups), targets.shape[1], device=codes.device).index_add_(0, member, targets)
        kept = sizes >= self.params.least_patients
        self._reserve(int(kept.sum()))
        self.groups.copy_(groups[kept])
        self.sizes.copy_(sizes[kept])
        self.by_group.copy_(sums[kept] / sizes[kept].unsqueeze(-1))

    def _shrunk(self, sums: Tensor, sizes: Tensor, towards: Tensor) -> Tensor:
        """Means drawn towards a fall-back that counts as ``smoothing`` patients; sums [G, I], sizes [G] -> [G, I].

        Where there is no patient at all, the fall-back stands alone.
        """
        weight = self.params.smoothing
        count = sizes.unsqueeze(-1) + weight
        return torch.where(count > 0, (sums + weight * towards) / count.clamp(min=1e-9), towards)

    def forward(self, users: Features, items: Features) -> Tensor:
        codes = self.read("user", users)  # [B, D]
        count = codes.sum(-1, keepdim=True)  # [B, 1]
        single = torch.where(count > 0, codes @ self.by_code / count.clamp(min=1), self.popularity)  # [B, I]
        shared = codes @ self.groups.T  # [B, G]
        same = ((shared == count) & (shared == self.groups.sum(-1))).to(codes.dtype)  # [B, G], at most one 1 per row
        size = same @ self.sizes  # [B]
        return self._shrunk(same @ (self.by_group * self.sizes.unsqueeze(-1)), size, single)
