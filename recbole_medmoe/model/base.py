"""FeatureRecommender: RecBole's ``GeneralRecommender`` on features instead of ids."""
from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar, ContextManager, Mapping

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, ValidationError
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType
from torch import Tensor, nn

from ..data.catalogue import Catalogue
from ..data.patients import PatientFeatures
from ..data.requests import FeatureRequest, FeatureSource, FeatureTable
from ..errors import ConfigError
from ..layers import ModalityInput

Features = Mapping[str, tuple[Tensor, Tensor]]
"""Request name to features [B, D], or token ids [B, T], and presence [B] bool."""


class ModelParams(BaseModel):
    """Base of every model's parameters; the default values lie in ``properties/model/<Model>.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureRecommender(GeneralRecommender):
    """A recommender that sees users and items only through their features, so that it serves patients it never met.

    A subclass names its ``Params``, what it reads (`feature_requests`) and how it scores (`forward`); training, ranking
    and scoring of patients written by hand follow from these.

    Args:
        config: RecBole's or our configuration, or any mapping that has the same keys.
        source: the training part of a `MedDataset`, or a `Catalogue` for a model that is loaded.

    Attributes:
        params: checked parameters.
        requests: what it reads.
        states: JSON state per fitted request key.
        widths: D per user request key.
        inputs: one `ModalityInput` per request key, token ids excepted; holds the standardisation, which is saved with
            the model.

    Example:
        >>> class Nearest(FeatureRecommender):  # doctest: +SKIP
        ...     def forward(self, users, items):
        ...         return self.read("user", users) @ self.read("item", items).T
    """

    input_type = InputType.LISTWISE
    groups_by_user: ClassVar[bool] = True  # asks data_preparation for batches of whole users
    fused_steps: ClassVar[bool] = True  # asks the trainer for Adam in one kernel
    Params: ClassVar[type[ModelParams]]

    known_items: Tensor

    def __init__(self, config: Any, source: FeatureSource) -> None:
        super().__init__(config, source)
        self.params: Any = read_params(self.Params, config)
        self.requests = self.feature_requests(self.params)
        self.item_tokens = list(source.item_tokens)
        self.states: dict[str, dict[str, Any]] = {}
        self.widths: dict[str, int] = {}
        self.inputs = nn.ModuleDict()
        hide = getattr(self.params, "modality_dropout", 0.0)
        for request in self.requests:
            self._take(request, source, hide)
        self.register_buffer("known_items", source.known_items, persistent=False)  # [I]

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        """What a model of these parameters reads."""
        raise NotImplementedError

    def forward(self, users: Features, items: Features) -> Tensor:
        """Scores of B users against I items -> [B, I]."""
        raise NotImplementedError

    def _take(self, request: FeatureRequest, source: FeatureSource, hide: float) -> None:
        """Keeps one table outside the checkpoint, and what was fitted on its training rows inside."""
        table = source.features(request)
        self.register_buffer(f"table_{request.key}", table.matrix, persistent=False)  # [N, D]
        self.register_buffer(f"present_{request.key}", table.present, persistent=False)  # [N]
        state = source.fitted(request)
        if state is not None:
            self.states[request.key] = state
        if request.side == "user":
            self.widths[request.key] = table.matrix.shape[1]
        if request.modality == "tokens":  # ids are no numbers to standardise; the model reads them by itself
            return
        self.inputs[request.key] = ModalityInput(table.matrix.shape[1], hide)
        if not request.is_fitted:  # profile, codes and words come scaled
            seen = source.train_users if request.side == "user" else source.train_items
            self.inputs[request.key].fit(table.matrix[seen & table.present])

    def _rows(self, side: str, ids: Tensor | None) -> dict[str, tuple[Tensor, Tensor]]:
        found = {}
        for request in (request for request in self.requests if request.side == side):
            matrix, present = self.get_buffer(f"table_{request.key}"), self.get_buffer(f"present_{request.key}")
            if ids is not None:
                matrix, present = matrix.index_select(0, ids), present[ids]
            found[request.name] = (matrix.to_dense() if matrix.is_sparse else matrix, present)
        return found

    def user_inputs(self, ids: Tensor) -> Features:
        """Features of the users with these internal ids [B]."""
        return self._rows("user", ids)

    def user_features(self, interaction: Any) -> Features:
        """Inputs of the users of a batch, one row each."""
        return self.user_inputs(interaction[self.USER_ID])

    def item_inputs(self) -> Features:
        """Features of the whole catalogue [I], [PAD] first."""
        return self._rows("item", None)

    def read(self, side: str, features: Features, *names: str) -> Tensor:
        """Standardised features side by side, absent ones replaced -> [B, sum of D].

        Args:
            side: ``user`` or ``item``.
            features: as `forward` gets them.
            names: which, in this order; none means all of that side but token ids.
        """
        chosen = names or self._numeric(side)
        parts = [self.inputs[f"{side}_{name}"](*features[name]) for name in chosen]
        return torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]

    def width(self, side: str, *names: str) -> int:
        """D of what `read` returns for the same names."""
        chosen = names or self._numeric(side)
        return sum(self.inputs[f"{side}_{name}"].absent.numel() for name in chosen)

    def _numeric(self, side: str) -> tuple[str, ...]:
        return tuple(request.name for request in self.requests if request.side == side and request.key in self.inputs)

    def calculate_loss(self, interaction: Any) -> Any:
        """Softmax cross-entropy of each pair's item among the items that training knows.

        Each user of the batch is scored once, however many pairs it has.

        Args:
            interaction: user ids [N] and item ids [N].
        """
        ids, row = torch.unique(interaction[self.USER_ID], return_inverse=True)  # [B], [N]
        scores = self.forward(self.user_inputs(ids), self.item_inputs())  # [B, I]
        return self.pair_loss(scores, row, interaction[self.ITEM_ID])

    def pair_loss(self, scores: Tensor, row: Tensor, items: Tensor) -> Tensor:
        """Mean over N pairs of ``-log softmax(scores)``; row [N] points into scores [B, I]."""
        shares = F.log_softmax(scores.float().masked_fill(~self.known_items, -torch.inf), dim=-1)  # [B, I]
        return -shares[row, items].mean()

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of every item for each user of the batch, flat as RecBole wants them -> [B * I]."""
        return self.forward(self.user_features(interaction), self.item_inputs()).flatten()

    def predict(self, interaction: Any) -> Tensor:
        """Scores of pairs -> [N]."""
        ids, row = torch.unique(interaction[self.USER_ID], return_inverse=True)
        return self.forward(self.user_inputs(ids), self.item_inputs())[row, interaction[self.ITEM_ID]]

    @torch.no_grad()
    def score_features(self, users: Features) -> Tensor:
        """Scores of B users that no data set holds -> [B, I]; see `PatientFeatures`."""
        self.eval()
        return self.forward(users, self.item_inputs())

    def patients(self, **options: Any) -> PatientFeatures:
        """What turns patients written by hand into user inputs; options as `PatientFeatures` has them."""
        return PatientFeatures(self.requests, self.states, self.widths, **options)

    def nothing_kept(self) -> ContextManager[None]:
        """Within it nothing that was kept of a user is used, so that a score costs what it costs for a new one."""
        # A part that reads texts with a language model keeps what it made of them.
        return getattr(getattr(self, "llm", None), "nothing_kept", nullcontext)()

    def diagnostics(self, users: Features, items: Features) -> dict[str, Tensor]:
        """What the model can tell about its inner choices, [B, ...] each; nothing unless a subclass has some."""
        return {}

    def fitted_state(self) -> dict[str, dict[str, Any]]:
        """JSON state of every fitted feature."""
        return self.states

    def catalogue(self) -> Catalogue:
        """What must be kept beside the weights so that the model can be built again without its data set."""
        tables = {request.key: FeatureTable(self.get_buffer(f"table_{request.key}"),
                                            self.get_buffer(f"present_{request.key}"))
                  for request in self.requests if request.side == "item"}
        return Catalogue(self.item_tokens, self.known_items, tables, self.widths, self.states, self.ITEM_ID)


def read_params(kind: type[ModelParams], config: Any) -> ModelParams:
    """Takes a model's parameters out of a configuration.

    Raises:
        ConfigError: all parameters that are missing, of a wrong type or out of range.
    """
    try:
        return kind.model_validate({name: config[name] for name in kind.model_fields})
    except ValidationError as fault:
        raise ConfigError([f"{'.'.join(str(part) for part in error['loc']) or kind.__name__}: {error['msg']}"
                           for error in fault.errors()]) from fault
