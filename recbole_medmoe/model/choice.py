"""ChoiceRecommender: base of the models that choose among the options of a question."""
from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.catalogue import Catalogue
from ..data.choice_patients import OPTIONS, ChoicePatients, lay_out
from ..data.requests import FeatureRequest, FeatureSource
from ..errors import ConfigError
from ..layers.sets import padded_rows
from .base import FeatureRecommender, Features


class ChoiceRecommender(FeatureRecommender):
    """A feature model whose users are questions with options of their own.

    `forward` gets, beside the question's own features, C being the most options that a question of the batch has:

    ===================  ============  =====================================================
    name                 features      presence
    ===================  ============  =====================================================
    ``options``          [B, C] int64  [B, C] bool, there is such an option; the feature is its place as shown, from 1
    ``option_<name>``    [B, C, D]     [B, C] bool; of each request of side ``item``
    ===================  ============  =====================================================

    Its items are always empty: options come with their question, so that a trained folder answers questions whose
    options no data set holds, and no weight belongs to an item. It returns [B, C]; entries without an option are never
    looked at. What names a task is not among the inputs.

    The loss is the cross-entropy of the right option among the question's own.

    Raises:
        ConfigError: a data set whose users are no questions.

    Example:
        >>> class Shortest(ChoiceRecommender):  # doctest: +SKIP
        ...     @classmethod
        ...     def feature_requests(cls, params):
        ...         return (FeatureRequest("length", "item", "length"),)
        ...
        ...     def forward(self, users, items):
        ...         return -users["option_length"][0].squeeze(-1)
    """

    def __init__(self, config: Any, source: FeatureSource) -> None:
        options = source.options
        if options is None:
            raise ConfigError([f"{type(self).__name__} chooses among the options of a question, and the users of this "
                               "data set are none; take one of task choice, e.g. --dataset med-mcq"])
        self.option_widths: dict[str, int] = {}
        super().__init__(config, source)
        self.register_buffer("options_of", options.values, persistent=False)  # [S]
        self.register_buffer("options_from", options.offsets, persistent=False)  # [U + 1]

    def _take(self, request: FeatureRequest, source: FeatureSource, hide: float) -> None:
        super()._take(request, source, hide)
        if request.side == "item":
            self.option_widths[request.key] = self.get_buffer(f"table_{request.key}").shape[1]

    def own_options(self, ids: Tensor) -> Tensor:
        """Item ids of the options of the questions with these internal ids [B] -> [B, C], filled up with 0."""
        return padded_rows(self.get_buffer("options_of"), self.get_buffer("options_from"), ids)

    def user_inputs(self, ids: Tensor) -> Features:
        """Features of the questions with these internal ids [B], and of their options."""
        tables = {request.name: (self.get_buffer(f"table_{request.key}"), self.get_buffer(f"present_{request.key}"))
                  for request in self.requests if request.side == "item"}
        return {**super().user_inputs(ids), **lay_out(tables, self.own_options(ids))}

    def item_inputs(self) -> Features:
        """Nothing: options come with their question."""
        return {}

    def calculate_loss(self, interaction: Any) -> Any:
        """Cross-entropy of each question's right option.

        Args:
            interaction: question ids [N] and item ids [N].
        """
        ids, right = interaction[self.USER_ID], interaction[self.ITEM_ID]
        users = self.user_inputs(ids)
        scores = self.forward(users, {}).float().masked_fill(~users[OPTIONS][1], -torch.inf)  # [N, C]
        return F.cross_entropy(scores, self.place_of(ids, right))

    def place_of(self, ids: Tensor, items: Tensor) -> Tensor:
        """Where items [N] stand among the options of the questions [N], from 0."""
        return (self.own_options(ids) == items.unsqueeze(-1)).int().argmax(dim=-1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of every item for each question of the batch, flat as RecBole wants them -> [B * I].

        All items that are no option of the question have one score below those of its options.
        """
        return self._over_items(interaction[self.USER_ID]).flatten()

    def predict(self, interaction: Any) -> Tensor:
        """Scores of pairs -> [N]; an item that is no option of the question as in `full_sort_predict`."""
        ids, row = torch.unique(interaction[self.USER_ID], return_inverse=True)
        return self._over_items(ids)[row, interaction[self.ITEM_ID]]

    def _over_items(self, ids: Tensor) -> Tensor:
        """Scores [B, I] of the questions [B]."""
        told, own = self._told(self.user_inputs(ids)), self.own_options(ids)
        scores = told[:, :1].expand(-1, self.n_items).clone()  # [B, I]
        return scores.scatter_(1, own, torch.where(own > 0, told[:, 1:], told[:, :1]))

    def _told(self, users: Features) -> Tensor:
        """[B, 1 + C]: first a score below all others of the row, which also fills rows up; then the options'."""
        there = users[OPTIONS][1]
        scores = self.forward(users, {})
        least = scores.masked_fill(~there, torch.inf).min(dim=-1, keepdim=True).values
        least = torch.where(there.any(-1, keepdim=True), least, torch.zeros_like(least)) - 1
        return torch.cat([least, torch.where(there, scores, least)], dim=-1)

    @torch.no_grad()
    def score_features(self, users: Features) -> Tensor:
        """Scores of questions that no data set holds -> [B, 1 + C]; column 0 belongs to no option."""
        self.eval()
        return self._told(users)

    def patients(self, **options: Any) -> ChoicePatients:
        """What turns questions written by hand into inputs; options as `PatientFeatures` has them."""
        return ChoicePatients(self.requests, self.states, self.widths, self.option_widths, **options)

    def catalogue(self) -> Catalogue:
        """What is kept beside the weights: how wide the features are, and no item."""
        return Catalogue(self.item_tokens[:1], self.known_items[:1], {}, self.widths, self.states, self.ITEM_ID,
                         option_widths=self.option_widths)
