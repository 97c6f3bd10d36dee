"""FeatureRidge: linear regression from the same frozen features to every item. The control for neural models.

Hoerl and Kennard, "Ridge regression", https://doi.org/10.1080/00401706.1970.10488634; penalty by leave-one-out.
"""
from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from ...data.requests import FeatureRequest
from ...errors import ConfigError
from ...layers import ridge_leave_one_out
from ..base import Features
from ..medmoe import ExpertInputs, LanguageInputs, expert_requests, language_requests
from .closed_form import ClosedForm, Penalties


class FeatureRidgeParams(ExpertInputs, LanguageInputs):
    """Which features, and how items are known."""

    user_features: tuple[Literal["text", "profile", "llm"], ...] = Field(
        min_length=1, description="feature sets of the patient")
    item_side: Literal["identity", "features"] = Field(
        description="identity: one regression per item; features: its outputs are smoothed over item features, so "
                    "that items without a training row are ranked too")
    item_features: tuple[Literal["text", "image", "llm"], ...] = Field(
        min_length=1, description="feature sets of the item, for item_side features")
    penalties: Penalties = Field(description="ridge penalties to choose from")


class FeatureRidge(ClosedForm):
    """``scores = (x W + c) M'``: ridge over patients gives W and c; M is the identity or a ridge over item features.

    Raises:
        ConfigError: ``item_side: identity`` where items without a training row are to be ranked.
    """

    Params = FeatureRidgeParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.by_features = self.params.item_side == "features"
        if not self.by_features:
            refuse_unseen(type(self).__name__, source, "set --item_side=features")
        self.weights, self.intercept = self.place(self.width("user"), self.n_items), self.place(self.n_items)
        if self.by_features:
            self.operator, self.offset = self.place(self.width("item"), self.n_items), self.place(self.n_items)
        self.register_buffer("seen_items", source.train_items, persistent=False)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        wanted = {("user", name) for name in params.user_features}
        if params.item_side == "features":
            wanted |= {("item", name) for name in params.item_features}
        offered = expert_requests(params) + language_requests(params)
        missing = wanted - {(request.side, request.name) for request in offered}
        if missing:
            raise ConfigError(["item_features: 'image' needs an image_encoder"])
        return tuple(request for request in offered if (request.side, request.name) in wanted)

    def solve(self, users: Tensor, targets: Tensor) -> None:
        self.eval()
        fit = ridge_leave_one_out(self.read("user", self.user_inputs(users)), targets, self.params.penalties)
        self.weights.copy_(fit.weights)
        self.intercept.copy_(fit.intercept)
        if self.by_features:
            items = self.read("item", self.item_inputs())  # [I, D]
            seen = self.seen_items.nonzero().squeeze(-1)  # [S]
            columns = targets[:, seen].T  # [S, N]: what each seen item's patients are
            penalty = ridge_leave_one_out(items[seen], columns, self.params.penalties).penalty
            operator = ridge_leave_one_out(items[seen], torch.eye(len(seen), device=items.device), [penalty])
            self.operator[:, seen], self.offset[seen] = operator.weights, operator.intercept  # [D, S], [S]

    def forward(self, users: Features, items: Features) -> Tensor:
        scores = self.read("user", users) @ self.weights + self.intercept  # [B, I]
        if not self.by_features:
            return scores
        return scores @ (self.read("item", items) @ self.operator + self.offset).T  # M = [I, I], from the items shown


def refuse_unseen(name: str, source: Any, remedy: str) -> None:
    """Stops a model that knows items by id only where a split ranks items without a training row.

    Raises:
        ConfigError: naming the number of such items and the remedy.
    """
    unseen = int((~source.known_items[1:]).sum())
    if unseen:
        raise ConfigError([f"{name} knows items by their training rows, and this split ranks {unseen} items without "
                           f"any; {remedy}"])
