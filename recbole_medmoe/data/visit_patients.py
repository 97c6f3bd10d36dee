"""VisitPatients: the inputs of a visit model for visits written by hand, which no data set holds."""
from __future__ import annotations

from collections import Counter
from typing import Any, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import DataError, nearest
from ..layers.sets import padded_rows
from .patients import Patient, PatientFeatures
from .requests import FeatureRequest
from .visit_tables import KINDS, MEDICATIONS, Ragged, VisitTables


class VisitPatients(PatientFeatures):
    """Turns visits such as ``{"diag": ["I10"], "proc": None, "earlier": [{"diag": [...], "medications": [...]}]}`` into
    user inputs. ``earlier`` are the patient's earlier visits, oldest first; None stands for what is not known.

    Args:
        requests, states, widths, options: as `PatientFeatures`.
        visits: codes that the model knows.
        items: I tokens by internal id, [PAD] first.

    Attributes:
        unseen: codes and medications of the last `encode` that training has not seen, counted per key; they are left
            out.
    """

    def __init__(self, requests: Sequence[FeatureRequest], states: Mapping[str, dict[str, Any]],
                 widths: Mapping[str, int], visits: VisitTables, items: Sequence[str], **options: Any) -> None:
        super().__init__(requests, states, widths, **options)
        self._ids = {kind: {code: place for place, (code, seen) in enumerate(
            zip(visits.vocabulary[kind], visits.seen[kind].tolist())) if seen} for kind in KINDS}
        self._ids[MEDICATIONS] = {token: place for place, token in enumerate(items) if place}
        self.unseen: Counter[str] = Counter()

    @property
    def keys(self) -> list[str]:
        """Keys that every visit must have."""
        return [*KINDS, "earlier", *super().keys]

    def encode(self, patients: Sequence[Patient]) -> dict[str, tuple[Tensor, Tensor]]:
        """Visits [B] -> name to ids and presence, as `VisitRecommender.user_inputs` gives them.

        Raises:
            DataError: as `PatientFeatures.encode`; a key of an earlier visit that is unknown or of a wrong type.
        """
        found = super().encode(patients)
        self.unseen = Counter()
        every = [visit["earlier"] or [] for visit in patients]
        longest = max(1, *map(len, every))
        there = torch.tensor([[False] * (longest - len(some)) + [True] * len(some) for some in every])
        for kind in (*KINDS, MEDICATIONS):
            rows = [self._set(kind, old.get(kind)) for some in every
                    for old in [{}] * (longest - len(some)) + list(some)]
            sets = _padded(rows).view(len(every), longest, -1)  # [B, V, L]
            found[f"earlier_{kind}"] = (sets.to(self.device), there.to(self.device))
        for kind in KINDS:
            now = _padded([self._set(kind, visit[kind]) for visit in patients])
            found[kind] = (now.to(self.device), now.any(-1).to(self.device))
        return found

    def _check(self, patients: Sequence[Patient]) -> None:
        super()._check(patients)
        for place, visit in enumerate(patients, start=1):
            for kind in KINDS:
                _check_codes(kind, visit[kind], f"patient {place}")
            _check_earlier(visit["earlier"], f"patient {place}")

    def _set(self, kind: str, codes: Sequence[str] | None) -> list[int]:
        """Ids of the codes that training knows."""
        if codes is None:
            return []
        known = self._ids[kind]
        self.unseen[kind] += len(set(codes) - known.keys())
        return sorted(known[code] for code in set(codes) & known.keys())


def _padded(rows: list[list[int]]) -> Tensor:
    return padded_rows(*Ragged.of(rows), torch.arange(len(rows)))


def _check_codes(kind: str, codes: Any, place: str) -> None:
    if codes is None:
        return
    if isinstance(codes, str) or not isinstance(codes, Sequence) or not all(isinstance(code, str) for code in codes):
        raise DataError(f"{place}: '{kind}' must be a list of codes, or null if it is not known")


def _check_earlier(earlier: Any, place: str) -> None:
    """Earlier visits are a list of mappings with the keys of a visit and its medications."""
    if earlier is None:
        return
    if not isinstance(earlier, Sequence) or not all(isinstance(old, Mapping) for old in earlier):
        raise DataError(f"{place}: 'earlier' must be a list of visits, oldest first, or null if none is known")
    valid = (*KINDS, MEDICATIONS)
    for old in earlier:
        for key in old:
            if key not in valid:
                raise DataError(f"{place}: an earlier visit has an unknown key '{key}'{nearest(str(key), valid)}")
            _check_codes(key, old[key], place)
