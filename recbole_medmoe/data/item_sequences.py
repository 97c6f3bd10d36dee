"""ItemSequenceMixin: pre-split rows for sequential models, each user's given items as the list that RecBole's read."""
from __future__ import annotations

import hashlib
from typing import Any, Iterator

import torch
import torch.nn.functional as F
from recbole.data.interaction import Interaction
from torch import Tensor

from ..atomic import PARTS
from ..errors import DataError
from ..layers.sets import padded_rows
from .dataset import MedMixin
from .visit_tables import Ragged

_BEFORE = "given_before"
"""Column of training rows with times: how many training items of its user are earlier."""


class ItemSequenceMixin(MedMixin):
    """`MedMixin` that joins to each row the list of the user's given items, under RecBole's names.

    The list is ``item_id_list`` and its length ``item_length``; ``MAX_ITEM_LIST_LENGTH`` keeps the end of longer ones.
    What is scored is a user with all items that are asked, as for every other model, and given items are never ranked.

    With the column ``TIME_FIELD`` loaded, a list is in its order: of a training row the user's earlier training items,
    of a scored user the items of all earlier parts.

    Without it the given items are a set, and a list's order means nothing. A training row gets as many as evaluation
    gives: half as many as its user has, drawn anew from the others each time it is read. A scored user is read in
    ``orders`` fixed orders, over which the evaluation averages the scores, so that no model is judged by an order that
    nobody chose.

    A training row with nothing to be predicted from is left out; ``whole`` is the training part with all rows.
    """

    inter_feat: Any
    whole: Any
    given: Ragged  # item ids by user: of the training part its own, of the others those of all earlier parts
    arranged: dict[int, Ragged]  # the same in the orders that have been asked for

    @property
    def has_times(self) -> bool:
        """Whether lists have an order."""
        return self.config["TIME_FIELD"] in self.inter_feat

    def _targets(self, parts: list[Any]) -> list[Any]:
        kept = super()._targets(parts)
        rows = [part.inter_feat for part in kept]
        for number, (name, part) in enumerate(zip(PARTS, kept)):
            part.given, part.arranged = self._lists(rows[:max(number, 1)]), {}
            lacking = int((part.given.sizes[torch.unique(rows[number][self.uid_field])] == 0).sum())
            if lacking:
                raise DataError(f"{self.folder}: split '{self.config['split']}' scores {lacking} {name} users without "
                                f"a given item; {self.config['model']} reads given items alone, so take a split in "
                                "which each user that is scored has some, e.g. --split set_completion")
        users = rows[0][self.uid_field]
        if self.has_times:
            rows[0][_BEFORE] = _earlier(users, rows[0][self.config["TIME_FIELD"]])
            some = rows[0][_BEFORE] > 0
        else:
            some = kept[0].given.sizes[users] > 1
        kept[0].whole = kept[0]
        return [kept[0].copy(rows[0][some.nonzero().squeeze(-1)]), *kept[1:]]

    def _lists(self, rows: list[Any]) -> Ragged:
        """Items of each user in these rows; by time, or in the order of the files."""
        users, items = (torch.cat([some[field] for some in rows]) for field in (self.uid_field, self.iid_field))
        if self.has_times:
            order = torch.cat([some[self.config["TIME_FIELD"]] for some in rows]).argsort(stable=True)
            users, items = users[order], items[order]
        sizes = torch.bincount(users, minlength=self.num(self.uid_field))
        return Ragged(items[users.argsort(stable=True)], F.pad(sizes.cumsum(0), (1, 0)))

    def join(self, df: Any) -> Any:
        """As RecBole's, with a list and its length for each row that names a user."""
        joined = super().join(df)  # type: ignore[misc]
        if self.uid_field not in joined:
            return joined  # negatives of a batch: items alone
        users = joined[self.uid_field]
        if self.iid_field not in joined:
            return self._with_lists(joined, self._arranged(0), users)
        if self.has_times:
            return self._with_lists(joined, self.given, users, joined[_BEFORE])
        found = padded_rows(*self.given, users)  # [N, L]
        barred = (found == 0) | (found == joined[self.iid_field].unsqueeze(1))
        drawn = found.gather(1, torch.rand(found.shape).masked_fill(barred, 2.0).argsort(dim=1))
        sizes = (self.given.sizes[users] // 2).clamp(min=1)
        return self._with_lists(joined, _flat(drawn), torch.arange(len(users)), sizes)

    def arrangements(self, interaction: Any) -> Iterator[Any]:
        """The users of a batch with their lists in each of the orders that the evaluation averages over."""
        for number in range(1 if self.has_times else int(self.config["orders"] or 1)):
            yield self._with_lists(interaction, self._arranged(number), interaction[self.uid_field])

    def _arranged(self, number: int) -> Ragged:
        """The given items of each user in one of the orders, drawn by SHA-256: never by the order of files or ids."""
        if self.has_times:
            return self.given
        if number not in self.arranged:
            users, items = self.user_tokens, self.item_tokens
            self.arranged[number] = Ragged.of([
                sorted(self.given.row(user), key=lambda item: hashlib.sha256(
                    f"order|{number}|{users[user]}|{items[item]}".encode()).digest())
                for user in range(len(users))])
        return self.arranged[number]

    def _with_lists(self, df: Any, lists: Ragged, rows: Tensor, sizes: Tensor | None = None) -> Any:
        """A copy of ``df`` with the first ``sizes`` [N] items of the lists of ``rows`` [N], or the last of these."""
        width = int(self.config["MAX_ITEM_LIST_LENGTH"])
        sizes = lists.sizes[rows] if sizes is None else sizes
        found = padded_rows(*lists, rows)
        found = F.pad(found, (0, max(0, width - found.shape[1])))
        places = (sizes - width).clamp(min=0).unsqueeze(1) + torch.arange(width)  # [N, L]
        kept = found.gather(1, places.clamp(max=found.shape[1] - 1)) * (places < sizes.unsqueeze(1))
        return Interaction({**df.interaction, self.iid_field + self.config["LIST_SUFFIX"]: kept,
                            self.config["ITEM_LIST_LENGTH_FIELD"]: sizes.clamp(max=width)})


def _flat(rows: Tensor) -> Ragged:
    """The rows of a matrix [N, L] as lists of one length."""
    return Ragged(rows.flatten(), torch.arange(len(rows) + 1) * rows.shape[1])


def _earlier(users: Tensor, times: Tensor) -> Tensor:
    """How many rows of the same user stand before each row [N] by time, those of one time in their order."""
    order = times.argsort(stable=True)
    order = order[users[order].argsort(stable=True)]
    starts = F.pad(torch.bincount(users).cumsum(0), (1, 0))
    before = torch.empty_like(order)
    before[order] = torch.arange(len(order)) - starts[users[order]]
    return before
