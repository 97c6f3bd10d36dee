"""SequenceVisitMixin: visits for RecBole's sequential models, which read a list of items and name the next one."""
from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from recbole.data.interaction import Interaction

from ..atomic import PARTS
from ..errors import DataError
from ..layers.sets import padded_rows
from .visit_tables import Ragged
from .visits import VisitMixin


class SequenceVisitMixin(VisitMixin):
    """`VisitMixin` that joins to each visit the list of its patient's earlier medications, oldest visit first.

    The list is RecBole's ``item_id_list`` and its length ``item_length``; the key ``MAX_ITEM_LIST_LENGTH`` keeps the
    end of longer ones. Within a visit medications stand by their ids, since nothing orders them. Each medication of a
    visit is a next item of the visit's list. A visit without a list has nothing to be predicted from: such training
    visits are left out, and a split that scores one is refused, so that it is for splits such as ``warm_visit``.
    """

    def _targets(self, parts: list[Any]) -> list[Any]:
        kept = super()._targets(parts)
        tables, longest = self._shared["visits"], int(self.config["MAX_ITEM_LIST_LENGTH"])
        lists = Ragged.of([
            [item for old in tables.history.row(visit) for item in tables.medications.row(old)][-longest:]
            for visit in range(len(tables.history.sizes))])
        self._shared["lists"] = lists
        for name, part in zip(PARTS, kept):
            known = lists.sizes[part.inter_feat[self.uid_field]] > 0
            if not known.any() or name != "train" and not known.all():
                raise DataError(f"{self.folder}: split '{self.config['split']}': {int((~known).sum())} of {len(known)} "
                                f"{name} rows belong to visits without an earlier one; {self.config['model']} reads "
                                "earlier medications alone, so take a split in which each visit that is scored has "
                                "some, e.g. --split warm_visit")
        rows = (lists.sizes[kept[0].inter_feat[self.uid_field]] > 0).nonzero().squeeze(-1)
        return [kept[0].copy(kept[0].inter_feat[rows]), *kept[1:]]

    def join(self, df: Any) -> Any:
        """As RecBole's, with the list and its length for each row."""
        joined = super().join(df)  # type: ignore[misc]
        lists: Ragged = self._shared["lists"]
        visits = joined[self.uid_field]
        found = padded_rows(*lists, visits)  # [N, L]
        width = int(self.config["MAX_ITEM_LIST_LENGTH"])
        joined.update(Interaction({
            self.iid_field + self.config["LIST_SUFFIX"]: F.pad(found, (0, width - found.shape[1])),
            self.config["ITEM_LIST_LENGTH_FIELD"]: lists.sizes[visits]}))
        return joined
