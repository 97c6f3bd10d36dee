"""What a visit model may see of visits: codes, known-earlier visits and their medications, as rows of ids."""
from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Mapping, NamedTuple, Sequence

import torch
from torch import Tensor

KINDS = ("diag", "proc")
MEDICATIONS = "medications"
STRUCTURE = ("patient_id", "visit_no", "earlier")
"""Columns that say whose visit it is and when; never a feature of it."""
PAD = "[PAD]"


class Ragged(NamedTuple):
    """N rows of ids, one after the other: values [S] and offsets [N + 1], both int64."""

    values: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Ragged:
        """From one list per row."""
        flat = torch.tensor([value for row in rows for value in row], dtype=torch.int64)
        return cls(flat, torch.tensor([0, *accumulate(map(len, rows))], dtype=torch.int64))

    @property
    def sizes(self) -> Tensor:
        """Number of ids of each row [N]."""
        return self.offsets.diff()

    @property
    def owners(self) -> Tensor:
        """The row of each id [S]."""
        return torch.repeat_interleave(torch.arange(len(self.offsets) - 1), self.sizes)

    def row(self, place: int) -> list[int]:
        """Ids of one row."""
        return self.values[self.offsets[place]:self.offsets[place + 1]].tolist()

    def only(self, kept: Tensor) -> Ragged:
        """Without the ids whose entry in ``kept`` [ids] bool is false."""
        stay = kept[self.values]
        sizes = torch.bincount(self.owners[stay], minlength=len(self.sizes))
        return Ragged(self.values[stay], torch.cat([self.offsets[:1], sizes.cumsum(0)]))


def sets_of(rows: Tensor, values: Tensor, count: int) -> Ragged:
    """Distinct values of each of ``count`` rows, ascending; rows [N] and values [N] are pairs in any order."""
    pairs = torch.unique(torch.stack([rows, values]), dim=1)
    sizes = torch.bincount(pairs[0], minlength=count)
    return Ragged(pairs[1], torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)]))


@dataclass(frozen=True)
class VisitTables:
    """What a visit model may see of U visits, by internal id, row 0 being [PAD].

    Attributes:
        vocabulary: ``diag`` and ``proc`` to C codes, [PAD] first; all that the data set has, whatever the split.
        seen: ``diag`` and ``proc`` to [C] bool, codes of training visits.
        codes: ``diag`` and ``proc`` to the code ids of each visit, those that training has not seen left out.
        history: internal ids of the visits known to be earlier, oldest first.
        medications: item ids of each visit; a model looks only at those of visits in ``history``.
        patients: number of the patient [U], by the order of their tokens, 0 for [PAD].
    """

    vocabulary: dict[str, list[str]]
    seen: dict[str, Tensor]
    codes: dict[str, Ragged]
    history: Ragged
    medications: Ragged
    patients: Tensor

    @classmethod
    def empty(cls, vocabulary: Mapping[str, list[str]], seen: Mapping[str, Tensor]) -> VisitTables:
        """Codes without a single visit but [PAD]: what a trained model keeps."""
        nothing = Ragged.of([[]])
        return cls(dict(vocabulary), dict(seen), dict.fromkeys(vocabulary, nothing), nothing, nothing,
                   torch.zeros(1, dtype=torch.int64))
