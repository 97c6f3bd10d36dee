"""Batches of a full-sort loader with history and positives as flat positions; RecBole's loops per user run once."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError


@dataclass(frozen=True)
class Batch:
    """One block of rows.

    Attributes:
        interaction: user side, length B.
        history: flat positions ``row * I + item`` within the batch that are not listed.
        rows: [B] internal user ids.
        keys: sorted flat positions of the positives within the batch.
        positives: [B] number of positives.
    """

    interaction: Any
    history: Tensor
    rows: np.ndarray
    keys: np.ndarray
    positives: np.ndarray


@dataclass(frozen=True)
class _Plan:
    """A loader's history and sorted positives over all its rows, with [N + 1] offsets."""

    history: Tensor
    history_from: np.ndarray
    keys: np.ndarray
    keys_from: np.ndarray


# A loader's users, history and positives never change after it is built, and validation asks for them every epoch.
_plans: WeakKeyDictionary[Any, _Plan] = WeakKeyDictionary()


def full_sort_batches(loader: Any, item_num: int, candidates: Tensor | None, progress: bool) -> Iterator[Batch]:
    """Yields the batches of a full-sort loader, ``loader.step`` users at once.

    Args:
        loader: see :func:`recbole_medmoe.evaluation.evaluator.evaluate_full_sort`.
        item_num: I with [PAD].
        candidates: [I] bool or None; positives are checked against it.
        progress: show a bar.

    Raises:
        DataError: a positive that is not among the candidates.
    """
    batches = _planned(loader, item_num) if _is_plain(loader) else _iterated(loader, item_num)
    if progress:
        from tqdm import tqdm

        batches = tqdm(batches, total=len(loader), desc="Evaluate", leave=False)
    allowed = None if candidates is None else candidates.cpu().numpy()
    for batch in batches:
        if allowed is not None and not allowed[batch.keys % item_num].all():
            lost = int((~allowed[batch.keys % item_num]).sum())
            raise DataError(f"{lost} positives are not among the candidates of this phase; every item with a row in "
                            "the part that is scored must stand in the split's candidates.csv")
        yield batch


def _is_plain(loader: Any) -> bool:
    """RecBole's own user loader; a subclass with other batches, or a sequential one, is iterated as it is."""
    from recbole.data.dataloader import FullSortEvalDataLoader

    own = getattr(type(loader), "collate_fn", None) is FullSortEvalDataLoader.collate_fn
    return own and not loader.is_sequential


def _flat(parts: np.ndarray, item_num: int) -> tuple[Tensor, np.ndarray]:
    """Positions of a list of item tensors per row, in the order of the rows, and the offsets of the rows."""
    sizes = np.fromiter((len(part) for part in parts), dtype=np.int64, count=len(parts))
    rows = torch.repeat_interleave(torch.arange(len(parts)), torch.from_numpy(sizes))
    flat = rows * item_num + torch.cat(list(parts)) if len(parts) else rows
    return flat, np.concatenate([[0], sizes.cumsum()])


def _planned(loader: Any, item_num: int) -> Iterator[Batch]:
    users = loader.uid_list.numpy()
    if loader not in _plans:
        history, history_from = _flat(loader.uid2history_item[users], item_num)
        keys, keys_from = _flat(loader.uid2positive_item[users], item_num)
        _plans[loader] = _Plan(history, history_from, keys.sort().values.numpy(), keys_from)
    plan = _plans[loader]
    for first in range(0, len(users), loader.step):
        last = min(first + loader.step, len(users))
        history = plan.history[plan.history_from[first]:plan.history_from[last]]
        keys = plan.keys[plan.keys_from[first]:plan.keys_from[last]]
        yield Batch(loader.user_df[slice(first, last)], history - first * item_num if first else history,
                    users[first:last], keys - first * item_num, np.diff(plan.keys_from[first:last + 1]))


def _iterated(loader: Any, item_num: int) -> Iterator[Batch]:
    for interaction, history, positive_u, positive_i in loader:
        count = len(interaction)
        flat = torch.zeros(0, dtype=torch.int64) if history is None else history[0] * item_num + history[1]
        keys = np.unique((positive_u * item_num + positive_i).numpy())
        yield Batch(interaction, flat, interaction[loader.uid_field].cpu().numpy(), keys,
                    np.bincount(keys // item_num, minlength=count))
