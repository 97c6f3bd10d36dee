"""Imported: the scores of an outside system stand where a model's would."""
from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType
from torch import Tensor, nn

from .base import ModelParams


class ImportedParams(ModelParams):
    """What tells one file of predictions from another."""

    imported: str = Field(description="Name of the outside system.")
    predictions_sha256: str = Field(description="Hash of the file of predictions.", pattern="^[0-9a-f]{64}$")


class Imported(GeneralRecommender):
    """Looks scores up; nothing is trained. They only rank: `ImportedProbabilities` are probabilities.

    Args:
        config: of the run.
        dataset: the training part.
        scores: [U, I] by internal ids, -inf where nobody asks.
    """

    Params: ClassVar[type[ModelParams]] = ImportedParams
    input_type = InputType.POINTWISE
    scores: Tensor

    def __init__(self, config: Any, dataset: Any, scores: Tensor) -> None:
        super().__init__(config, dataset)
        self.fake_loss = nn.Parameter(torch.zeros(1))   # RecBole's trainer builds an optimiser before it trains
        self.register_buffer("scores", scores, persistent=False)   # no checkpoint holds what was predicted for whom

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Nothing is learned."""
        return self.fake_loss.sum() * 0

    def predict(self, interaction: Any) -> Tensor:
        """Scores [B] of pairs."""
        return self.scores[interaction[self.USER_ID], interaction[self.ITEM_ID]]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores [B, I]."""
        return self.scores[interaction[self.USER_ID]]


class ImportedProbabilities(Imported):
    """Scores between 0 and 1, which a threshold that is stated as a probability can judge."""

    score_scale = "probability"
