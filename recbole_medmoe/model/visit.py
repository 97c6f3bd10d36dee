"""VisitRecommender: base of the models that give a visit its set of medications."""
from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ..data.catalogue import Catalogue
from ..data.requests import FeatureRequest, FeatureSource
from ..data.visit_patients import VisitPatients
from ..data.visit_tables import KINDS, MEDICATIONS, Ragged, VisitTables
from ..errors import ConfigError
from ..layers.sets import padded_rows
from .base import FeatureRecommender, Features, ModelParams

VISIT_INPUTS = (*KINDS, *(f"earlier_{name}" for name in (*KINDS, MEDICATIONS)))
"""Names of what `forward` gets of each visit, see `VisitRecommender`."""
_AT_ONCE = 512
"""Visits whose histories are padded together when the whole catalogue is ranked; bounds the memory of long ones."""


class TrainedVisitParams(ModelParams):
    """How a visit model is trained step by step; all values are our choice."""

    epochs: int = Field(ge=1, description="most passes over the training visits; our choice")
    stopping_step: int = Field(ge=0, description="validations without a better one before training ends; our choice")
    learner: str = Field(description="optimiser; our choice")
    learning_rate: float = Field(gt=0, description="step size of the optimiser; our choice")
    weight_decay: float = Field(ge=0, description="decay of the optimiser; our choice")
    train_batch_size: int = Field(ge=1, description="training pairs per step, in whole visits; our choice")


class VisitRecommender(FeatureRecommender):
    """A feature model whose users are visits: it reads their codes, and what is known of earlier visits.

    `forward` gets, beside what `feature_requests` names, with id 0 for "none" throughout and V and C as wide as the
    batch needs (at least 1):

    ==========================  ===============  =============================================
    name                        ids              presence
    ==========================  ===============  =============================================
    ``diag``, ``proc``          [B, C]           [B] bool, has any code that training has seen
    ``earlier_diag``,           [B, V, C]        [B, V] bool, there is such a visit
    ``earlier_proc``
    ``earlier_medications``     [B, V, M]        [B, V] bool
    ==========================  ===============  =============================================

    The most recent visit stands last, in column V - 1; shorter histories are filled up in front. It returns logits
    [B, I], [PAD] in column 0: the sigmoid is the probability that the visit has the medication.

    Batches hold whole visits; the loss is the binary cross-entropy over all medications, so that one that training has
    not seen counts as not given.

    Attributes:
        code_counts: ``diag`` and ``proc`` to C, [PAD] included: rows of an embedding.

    Raises:
        ConfigError: a data set whose users are no visits.

    Example:
        >>> class Bag(VisitRecommender):  # doctest: +SKIP
        ...     def __init__(self, config, source):
        ...         super().__init__(config, source)
        ...         self.bag = nn.EmbeddingBag(self.code_counts["diag"], self.n_items, mode="sum", padding_idx=0)
        ...
        ...     def forward(self, users, items):
        ...         return self.bag(users["diag"][0])
    """

    score_scale: ClassVar[str] = "logit"  # tells the trainer what a threshold that is a probability means

    def __init__(self, config: Any, source: FeatureSource) -> None:
        tables = source.visits
        if tables is None:
            raise ConfigError([f"{type(self).__name__} reads visits, and the users of this data set are none; take one "
                               "of task medication, e.g. --dataset eicu-demo"])
        super().__init__(config, source)
        self._codes = VisitTables.empty(tables.vocabulary, tables.seen)
        self.code_counts = {kind: len(tables.vocabulary[kind]) for kind in KINDS}
        self.ddi = source.ddi
        for name, rows in ({**tables.codes, MEDICATIONS: tables.medications, "history": tables.history}).items():
            self.register_buffer(f"visit_{name}", rows.values, persistent=False)  # [S]
            self.register_buffer(f"visit_{name}_from", rows.offsets, persistent=False)  # [U + 1]

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        """None beside the codes."""
        return ()

    def _sets(self, name: str, visits: Tensor, at_end: bool = False) -> Tensor:
        """Ids of the visits [...] -> [..., L]."""
        rows = Ragged(self.get_buffer(f"visit_{name}"), self.get_buffer(f"visit_{name}_from"))
        return padded_rows(*rows, visits, at_end=at_end)

    def user_inputs(self, ids: Tensor) -> Features:
        """Inputs of the visits with these internal ids [B]; their own medications are not among them."""
        history = self._sets("history", ids, at_end=True)  # [B, V]
        there = history > 0
        found = dict(super().user_inputs(ids))
        for kind in KINDS:
            codes = self._sets(kind, ids)
            found[kind] = (codes, codes.any(-1))
        past = bool(there.any())  # of visits without any there is nothing to gather
        for name in (*KINDS, MEDICATIONS):
            found[f"earlier_{name}"] = (self._sets(name, history) if past else history.unsqueeze(-1), there)
        return found

    def calculate_loss(self, interaction: Any) -> Any:
        """Binary cross-entropy of each visit's medications.

        Args:
            interaction: visit ids [N] and item ids [N], all pairs of each visit in it.
        """
        ids, truth = self.visit_targets(interaction)
        return self.visit_loss(self.user_inputs(ids), truth)

    def visit_targets(self, interaction: Any) -> tuple[Tensor, Tensor]:
        """Visits of a batch of pairs, each once, and their medications as 0 and 1 -> [B], [B, I]."""
        ids, row = torch.unique(interaction[self.USER_ID], return_inverse=True)  # [B], [N]
        truth = torch.zeros(len(ids), self.n_items, device=ids.device)
        truth[row, interaction[self.ITEM_ID]] = 1.0
        return ids, truth

    def visit_loss(self, users: Features, truth: Tensor) -> Tensor:
        """Loss of B visits, given what `forward` gets of them; truth [B, I] is 0 or 1."""
        return self.set_loss(self.forward(users, self.item_inputs()), truth)

    def set_loss(self, scores: Tensor, truth: Tensor) -> Tensor:
        """Mean binary cross-entropy of logits [B, I] over all medications, [PAD] left out; truth [B, I] is 0 or 1."""
        return F.binary_cross_entropy_with_logits(scores[:, 1:].float(), truth[:, 1:])

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Logits of every medication for each visit of the batch, flat as RecBole wants them -> [B * I]."""
        items = self.item_inputs()
        parts = [self.forward(self.user_inputs(some), items) for some in interaction[self.USER_ID].split(_AT_ONCE)]
        return torch.cat(parts).flatten()

    def patients(self, **options: Any) -> VisitPatients:
        """What turns visits written by hand into inputs; options as `PatientFeatures` has them."""
        return VisitPatients(self.requests, self.states, self.widths, self._codes, self.item_tokens, **options)

    def catalogue(self) -> Catalogue:
        """Adds the codes, and the list of interactions, to what is kept beside the weights."""
        found = super().catalogue()
        found.visits, found.ddi = self._codes, self.ddi
        return found
