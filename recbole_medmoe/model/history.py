"""HistoryRecommender: base of the feature models that read a list of items and score the next one."""
from __future__ import annotations

from typing import Any, ClassVar

import torch
from recbole.utils import ModelType
from torch import Tensor

from ..data.history_patients import HISTORY, HistoryPatients
from ..data.requests import FeatureSource
from .base import FeatureRecommender, Features


class HistoryRecommender(FeatureRecommender):
    """A feature model of RecBole's sequential kind: beside what `feature_requests` names, `forward` gets of each user
    ``history``, item ids [B, L] from the oldest on, filled up with 0 on the right, and whether there are any [B].

    The lists come with each row, as those of RecBole's sequential models do, so that both kinds read the same.
    """

    type = ModelType.SEQUENTIAL
    groups_by_user: ClassVar[bool] = False  # a row has a list of its own

    def __init__(self, config: Any, source: FeatureSource) -> None:
        super().__init__(config, source)
        self.ITEM_SEQ = self.ITEM_ID + config["LIST_SUFFIX"]

    def user_features(self, interaction: Any) -> Features:
        """Inputs of the users of a batch, with their lists."""
        items: Tensor = interaction[self.ITEM_SEQ]
        return {**super().user_features(interaction), HISTORY: (items, items.any(-1))}

    def calculate_loss(self, interaction: Any) -> Any:
        """Softmax cross-entropy of each row's item [N] among the items that training knows."""
        scores = self.forward(self.user_features(interaction), self.item_inputs())  # [N, I]
        return self.pair_loss(scores, torch.arange(len(scores), device=scores.device), interaction[self.ITEM_ID])

    def predict(self, interaction: Any) -> Tensor:
        """Scores of pairs -> [N]."""
        scores = self.forward(self.user_features(interaction), self.item_inputs())  # [N, I]
        return scores.gather(1, interaction[self.ITEM_ID].unsqueeze(1)).squeeze(1)

    def patients(self, **options: Any) -> HistoryPatients:
        """What turns users written by hand into inputs; options as `PatientFeatures` has them."""
        return HistoryPatients(self.requests, self.states, self.widths, self.item_tokens, **options)
