"""ChoicePatients: the inputs of a model of choice for questions and options that no data set holds."""
from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders import PADDING
from ..errors import DataError
from ..layers.sets import padded_rows
from .patients import Patient, PatientFeatures
from .requests import FeatureRequest

OPTIONS = "options"


def lay_out(features: Mapping[str, tuple[Tensor, Tensor]], own: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """What a model of choice reads of the options of B questions.

    Args:
        features: name to features of options [N, D] and presence [N]; row 0 stands for none.
        own: rows of each question's options [B, C], filled up with 0.

    Returns:
        ``options``: places from 1, 0 where there is none [B, C], and whether there is an option [B, C];
        ``option_<name>``: features [B, C, D] and presence [B, C].
    """
    there = own > 0
    places = torch.arange(1, own.shape[1] + 1, device=own.device).expand_as(own) * there
    found = {OPTIONS: (places, there)}
    for name, (matrix, present) in features.items():
        rows = matrix.index_select(0, own.flatten())
        rows = rows.to_dense() if rows.is_sparse else rows
        found[f"option_{name}"] = (rows.unflatten(0, own.shape), present[own] & there)
    return found


class ChoicePatients(PatientFeatures):
    """Turns questions such as ``{"text": "Which organ makes bile?", "options": ["Liver", "Spleen"]}`` into user inputs.

    Args:
        requests, states, widths, options: as `PatientFeatures`; requests of items are those of the options.
        option_widths: D per item request key.
    """

    def __init__(self, requests: Sequence[FeatureRequest], states: Mapping[str, dict[str, Any]],
                 widths: Mapping[str, int], option_widths: Mapping[str, int], **options: Any) -> None:
        super().__init__(requests, states, widths, **options)
        read = [request for request in requests if request.side == "item"]
        as_users = {request.key: replace(request, side="user") for request in read}
        self._option = PatientFeatures(
            list(as_users.values()), {request.key: states[key] for key, request in as_users.items() if key in states},
            {request.key: option_widths[key] for key, request in as_users.items()}, **options)

    @property
    def keys(self) -> list[str]:
        """Keys that every question must have."""
        return [OPTIONS, *super().keys]

    def encode(self, patients: Sequence[Patient]) -> dict[str, tuple[Tensor, Tensor]]:
        """Questions [B] -> name to features and presence, as `ChoiceRecommender.user_inputs` gives them.

        Raises:
            DataError: as `PatientFeatures.encode`, or options that are no list of texts.
        """
        found = super().encode(patients)
        every = [_checked(question[OPTIONS], f"patient {place}") for place, question in enumerate(patients, start=1)]
        texts = [{"text": option} for own in every for option in own]
        read = self._option.encode(texts) if texts else {}
        features = {}
        for request in self._option.requests:
            empty: float = PADDING if request.modality == "tokens" else 0.0
            nothing = torch.full((0, self._option.widths[request.key]), empty, device=self.device)
            matrix, present = read.get(request.name, (nothing, nothing.new_zeros(0, dtype=torch.bool)))
            # Row 0 stands for none, which is what `lay_out` fills up with.
            features[request.name] = (F.pad(matrix, (0, 0, 1, 0), value=empty), F.pad(present, (1, 0)))
        offsets = torch.tensor([0, *accumulate(map(len, every))])
        own = padded_rows(torch.arange(1, len(texts) + 1), offsets, torch.arange(len(every)))
        return found | lay_out(features, own.to(self.device))


def _checked(options: Any, place: str) -> list[str]:
    if options is None:
        return []
    is_list = isinstance(options, Sequence) and not isinstance(options, str)
    if not is_list or not all(isinstance(option, str) and option.strip() for option in options):
        raise DataError(f"{place}: 'options' must be a list of texts, or null if there are none")
    return list(options)
