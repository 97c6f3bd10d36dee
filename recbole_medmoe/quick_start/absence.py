"""Items without a modality at test: each modality is taken from a share of the items while the test rows are scored."""
from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

import torch
from torch import Tensor

from ..compat import apply

apply()

from ..data import FeatureRequest, FeatureTable  # noqa: E402  (RecBole needs `apply` first)
from ..encoders import PADDING  # noqa: E402
from ..evaluation import Evaluation  # noqa: E402
from .pictures import put_table, read_table  # noqa: E402
from .stored import MISSING  # noqa: E402

_MODALITY = {"tokens": "text", "words": "text", "codes": "profile"}
"""What a request's table is of, where its name does not say so."""


@dataclass(frozen=True)
class Removal:
    """The test rows scored while a share of the items lacked one modality.

    Attributes:
        modality: ``text``, ``image``, ``profile`` or ``collaborative``. share: above 0, at most 1.
        items: how many items lost it; those that never had it are not among them.
        evaluation: of all test rows.
    """

    modality: str
    share: float
    items: int
    evaluation: Evaluation

    @property
    def name(self) -> str:
        """How it is called in a run's rows, e.g. ``missing: image 0.25``."""
        return f"{MISSING}{self.modality} {self.share:g}"


def score_without(shares: Sequence[float], model: Any, trainer: Any, test: Any) -> list[Removal]:
    """Scores the test rows with each modality of the items taken from each share of them.

    The items of a smaller share are among those of a larger one. Where a model reads a modality by several tables (a
    title's tokens and a text's vector), an item loses all of them.

    Args:
        shares: values of the key ``missing``.
        model: trained; one that reads no features of items gives nothing.
        trainer: with ``evaluate_rows``.
        test: loader of the test rows.
    """
    found = []
    for modality in dict.fromkeys(_of(request) for _, request in _readers(model)):
        for share in sorted(shares):
            with lacking(modality, share, model) as items:
                found.append(Removal(modality, share, items, trainer.evaluate_rows(test, "test")))
    return found


def chosen_items(tokens: Sequence[str], modality: str, share: float) -> Tensor:
    """[I] bool: ``round(share * items)`` items, the first by a keyed SHA-256 of their tokens; never [PAD]."""
    ranked = sorted(range(1, len(tokens)),
                    key=lambda item: hashlib.sha256(f"missing|{modality}|{tokens[item]}".encode()).hexdigest())
    chosen = torch.zeros(len(tokens), dtype=torch.bool)
    chosen[ranked[:round(share * len(ranked))]] = True
    return chosen


@contextmanager
def lacking(modality: str, share: float, model: Any) -> Iterator[int]:
    """Marks a modality as absent for a share of the items in every part of a model, and gives it back at the end.

    Yields:
        How many items lost it.
    """
    kept: list[tuple[Any, str, FeatureTable]] = []
    lost: Tensor | None = None
    for part, request in _readers(model):
        if _of(request) == modality:
            table = read_table(part, request.key)
            kept.append((part, request.key, table))
            gone = chosen_items(part.item_tokens, modality, share).to(table.present.device)
            had = gone & table.present
            lost = had if lost is None else lost | had
            put_table(part, request.key, _without(table, gone))
    try:
        yield 0 if lost is None else int(lost.sum())
    finally:
        for part, key, table in kept:
            put_table(part, key, table)


def _without(table: FeatureTable, gone: Tensor) -> FeatureTable:
    if table.matrix.is_sparse:
        rows = table.matrix.coalesce()
        stay = ~gone[rows.indices()[0]]
        matrix = torch.sparse_coo_tensor(rows.indices()[:, stay], rows.values()[stay], rows.shape,
                                         check_invariants=False).coalesce()
    else:
        empty = PADDING if not table.matrix.is_floating_point() else 0
        matrix = table.matrix.masked_fill(gone.unsqueeze(1), empty)
    return FeatureTable(matrix, table.present & ~gone)


def _of(request: FeatureRequest) -> str:
    return _MODALITY.get(request.modality, request.modality)


def _readers(model: Any) -> Iterator[tuple[Any, FeatureRequest]]:
    """Every part of a model that holds tables of item features, with each of its requests for them.

    A part is a `FeatureRecommender`, or any module with the ``requests``, ``item_tokens`` and buffers of one.
    """
    for part in model.modules():
        for request in getattr(part, "requests", ()):
            if request.side == "item" and f"table_{request.key}" in dict(part.named_buffers(recurse=False)):
                yield part, request
