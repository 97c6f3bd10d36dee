"""BowRidge: ridge regression on the words of the patient's text. What a templated text gives away without any LLM."""
from __future__ import annotations

from typing import Any

from pydantic import Field
from torch import Tensor

from ...data.requests import FeatureRequest, WordSpec
from ...layers import ridge_leave_one_out
from ..base import Features, ModelParams
from .closed_form import ClosedForm, Penalties
from .feature_ridge import refuse_unseen


class BowRidgeParams(ModelParams):
    """Which words, and the penalties."""

    ngrams: int = Field(ge=1, le=5, description="longest n-gram in words")
    min_count: int = Field(ge=1, description="training texts that an n-gram must stand in")
    max_words: int = Field(ge=1, description="most n-grams kept, the frequent ones first")
    penalties: Penalties = Field(description="ridge penalties to choose from, by leave-one-out")


class BowRidge(ClosedForm):
    """``scores = x W + c``, x the TF-IDF weights of the text's word n-grams.

    Raises:
        ConfigError: a split that ranks items without a training row.
    """

    Params = BowRidgeParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        refuse_unseen(type(self).__name__, source, "use FeatureRidge with --item_side=features")
        self.weights, self.intercept = self.place(self.width("user"), self.n_items), self.place(self.n_items)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return (FeatureRequest("words", "user", "words", WordSpec(params.ngrams, params.min_count, params.max_words)),)

    def solve(self, users: Tensor, targets: Tensor) -> None:
        self.eval()
        fit = ridge_leave_one_out(self.read("user", self.user_inputs(users)), targets, self.params.penalties)
        self.weights.copy_(fit.weights)
        self.intercept.copy_(fit.intercept)

    def forward(self, users: Features, items: Features) -> Tensor:
        return self.read("user", users) @ self.weights + self.intercept  # [B, I]
