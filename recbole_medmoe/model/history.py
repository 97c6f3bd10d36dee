"""HistoryRecommender: base of the feature models that read a list of items and score the next one."""
from __future__ import annotations

from typing import Any, ClassVar

from recbole.utils import ModelType
from torch import Tensor

from ..data.history_patients import HISTORY, HistoryPatients
from ..data.requests import FeatureSource
from .base import FeatureRecommender, Features


NAMES_OTHERS = {"overfits_eight_rows": "a user's training items are those that it is given, and it learns to name "
                                       "others"}
"""Why a check means nothing for a model that reads lists."""


class HistoryRecommender(FeatureRecommender):
    """A feature model of RecBole's sequential kind: beside what `feature_requests` names, `forward` gets of each user
    ``history``, item ids [B, L] from the oldest on, filled up with 0 on the right, and whether there are any [B].

    The lists come with each row, as those of RecBole's sequential models do, so that both kinds read the same.
    """

    type = ModelType.SEQUENTIAL
    checks_not_applicable = NAMES_OTHERS
    groups_by_user: ClassVar[bool] = False  # a row has a list of its own

    def __init__(self, config: Any, source: FeatureSource) -> None:
        super().__init__(config, source)
        self.ITEM_SEQ = self.ITEM_ID + config["LIST_SUFFIX"]

    def user_features(self, interaction: Any) -> Features:
        """Inputs of the users of a batch, with their lists."""
        items: Tensor = interaction[self.ITEM_SEQ]
        return {**super().user_features(interaction), HISTORY: (items, items.any(-1))}

    def patients(self, **options: Any) -> HistoryPatients:
        """What turns users written by hand into inputs; options as `PatientFeatures` has them."""
        return HistoryPatients(self.requests, self.states, self.widths, self.item_tokens, **options)
