"""HistoryPatients: the inputs of a model that reads a list of items, for users written by hand."""
from __future__ import annotations

from typing import Any, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..errors import DataError
from .patients import Patient, PatientFeatures
from .requests import FeatureRequest

HISTORY = "history"


class HistoryPatients(PatientFeatures):
    """Turns users such as ``{"history": ["banana", "leek"], "text": "..."}`` into user inputs; ``history`` are the
    items they had, oldest first, named as in the data set, and None stands for none.

    Args:
        requests, states, widths, options: as `PatientFeatures`.
        items: I tokens by internal id, [PAD] first.

    Attributes:
        unknown: items of the last `encode` that the catalogue does not have; they are left out.
    """

    def __init__(self, requests: Sequence[FeatureRequest], states: Mapping[str, dict[str, Any]],
                 widths: Mapping[str, int], items: Sequence[str], **options: Any) -> None:
        super().__init__(requests, states, widths, **options)
        self._ids = {token: place for place, token in enumerate(items) if place}
        self.unknown = 0

    @property
    def keys(self) -> list[str]:
        """Keys that every user must have."""
        return [HISTORY, *super().keys]

    def encode(self, patients: Sequence[Patient]) -> dict[str, tuple[Tensor, Tensor]]:
        """Users [B] -> name to features and presence; ``history`` is item ids [B, L] filled up with 0 on the right.

        Raises:
            DataError: as `PatientFeatures.encode`; a history that is no list of names.
        """
        found = super().encode(patients)
        told = [list(patient[HISTORY] or []) for patient in patients]
        rows = [torch.tensor([self._ids[item] for item in items if item in self._ids], dtype=torch.int64)
                for items in told]
        self.unknown = sum(map(len, told)) - sum(map(len, rows))
        ids = pad_sequence(rows, batch_first=True)
        ids = ids if ids.shape[1] else ids.new_zeros(len(rows), 1)
        found[HISTORY] = (ids.to(self.device), ids.any(-1).to(self.device))
        return found

    def _check(self, patients: Sequence[Patient]) -> None:
        super()._check(patients)
        for place, patient in enumerate(patients, start=1):
            items = patient[HISTORY]
            if items is not None and (isinstance(items, str) or not isinstance(items, Sequence)
                                      or not all(isinstance(item, str) for item in items)):
                raise DataError(f"patient {place}: '{HISTORY}' must be a list of item names, oldest first, or null")
