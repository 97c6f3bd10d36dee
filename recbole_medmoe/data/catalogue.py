"""Catalogue: what a trained feature model keeps of its data set, so that it works where the data set is gone."""
from __future__ import annotations

from typing import Any, Mapping

import torch
from torch import Tensor

from ..encoders import PADDING
from ..errors import CheckpointError
from .requests import FeatureRequest, FeatureTable
from .visit_tables import Ragged, VisitTables

_SCHEMA = 1
_SEEN = "seen_codes."


class Catalogue:
    """A `FeatureSource` with items and fitted states, and without a single user.

    Args:
        item_tokens: I tokens by internal id, [PAD] first.
        known: [I] bool, the items that training set against each other.
        items: feature table per item request key.
        widths: D per user request key.
        states: JSON state per fitted request key.
        item_field: name of the item column.
        visits: codes without visits, for models of visits.
        ddi: [I, I] bool, for models of visits.
        option_widths: D per item request key, for models of choice, which bring their options along with each question
            and keep no item.
    """

    def __init__(self, item_tokens: list[str], known: Tensor, items: Mapping[str, FeatureTable],
                 widths: Mapping[str, int], states: Mapping[str, dict[str, Any]], item_field: str,
                 visits: VisitTables | None = None, ddi: Tensor | None = None,
                 option_widths: Mapping[str, int] | None = None) -> None:
        self.visits, self.ddi, self.teacher_states = visits, ddi, None
        self.option_widths = option_widths
        self.item_tokens = list(item_tokens)
        self.items, self.widths, self.states = dict(items), dict(widths), dict(states)
        self._known, self.item_field = known, item_field
        self.train_users = torch.zeros(1, dtype=torch.bool)
        self.train_items = torch.zeros(len(self.item_tokens), dtype=torch.bool)

    @property
    def options(self) -> Ragged | None:
        """No options but those of [PAD], which has none; None for models of other tasks."""
        return None if self.option_widths is None else Ragged.of([[]])

    @property
    def known_items(self) -> Tensor:
        """[I] bool."""
        return self._known

    def num(self, field: str) -> int:
        """I for the item column; 1 for the user column, whose only id is [PAD]."""
        return len(self.item_tokens) if field == self.item_field else 1

    def features(self, request: FeatureRequest) -> FeatureTable:
        """Feature table of the items; of the users, and of options, only the [PAD] row, which tells the width.

        Raises:
            CheckpointError: the trained folder does not hold that feature.
        """
        if request.side == "item" and request.key in self.items:
            return self.items[request.key]
        widths = self.widths if request.side == "user" else self.option_widths or {}
        if request.key in widths:
            width, absent = widths[request.key], torch.zeros(1, dtype=torch.bool)
            if request.modality == "tokens":
                return FeatureTable(torch.full((1, width), PADDING), absent)
            return FeatureTable(torch.zeros(1, width), absent)
        raise CheckpointError(f"the trained folder holds no feature '{request.key}'; its configuration was changed; "
                              "train again")

    def fitted(self, request: FeatureRequest) -> dict[str, Any] | None:
        """JSON state of a fitted feature."""
        return self.states.get(request.key)

    def training_pairs(self) -> tuple[Tensor, Tensor]:
        """No training rows are kept."""
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)

    def tensors(self) -> dict[str, Tensor]:
        """Item tables as plain tensors, for safetensors."""
        found = {"known": self._known.to(torch.uint8).cpu()}
        for key, table in self.items.items():
            matrix = table.matrix.to_dense() if table.matrix.is_sparse else table.matrix
            found[f"{key}.matrix"] = matrix.contiguous().cpu()
            found[f"{key}.present"] = table.present.to(torch.uint8).cpu()
        if self.visits is not None:
            found |= {f"{_SEEN}{kind}": seen.to(torch.uint8).cpu() for kind, seen in self.visits.seen.items()}
        if self.ddi is not None:
            found["ddi"] = self.ddi.to(torch.uint8).cpu()
        return found

    def document(self) -> dict[str, Any]:
        """The rest as plain JSON: tokens, widths and fitted states; nothing of any user."""
        return {"schema": _SCHEMA, "item_tokens": self.item_tokens, "widths": self.widths, "states": self.states,
                "item_field": self.item_field, **({} if self.visits is None else {"codes": self.visits.vocabulary}),
                **({} if self.option_widths is None else {"option_widths": dict(self.option_widths)})}

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> Catalogue:
        """Rebuilds a catalogue from `tensors` and `document`.

        Raises:
            CheckpointError: of another schema, or parts are missing.
        """
        if document.get("schema") != _SCHEMA or "known" not in tensors:
            raise CheckpointError(f"catalogue of schema {document.get('schema')}; this version reads {_SCHEMA}")
        keys = [name.removesuffix(".matrix") for name in tensors if name.endswith(".matrix")]
        items = {key: FeatureTable(tensors[f"{key}.matrix"], tensors[f"{key}.present"].bool()) for key in keys}
        visits = None
        if "codes" in document:
            seen = {kind: tensors[f"{_SEEN}{kind}"].bool() for kind in document["codes"]}
            visits = VisitTables.empty(document["codes"], seen)
        return cls(document["item_tokens"], tensors["known"].bool(), items, document["widths"], document["states"],
                   document["item_field"], visits, tensors["ddi"].bool() if "ddi" in tensors else None,
                   document.get("option_widths"))
