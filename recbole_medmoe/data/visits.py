"""VisitDataset: a data set whose users are visits. Known-earlier history, codes, medications, patients, DDI, groups."""
from __future__ import annotations

import logging
from functools import cached_property
from typing import Any, Sequence

import numpy as np
import pandas as pd
import torch
from recbole.data.dataset import Dataset
from recbole.utils import FeatureType
from torch import Tensor

from ..atomic import PARTS
from ..errors import DataError
from ..layers.sets import multi_hot, padded_rows
from .dataset import MedMixin
from .ddi import ddi_statistics, read_ddi
from .requests import FeatureRequest, FeatureTable, VisitPromptSpec
from .teacher_states import TeacherStates
from .visit_file import VisitFile, read_frame, visits_of
from .visit_tables import KINDS, PAD, Ragged, VisitTables, sets_of
from .visit_words import folder_prompts

log = logging.getLogger("recbole_medmoe")
RARE = 5
"""A diagnosis of fewer training visits than this is rare."""


class VisitMixin(MedMixin):
    """`MedMixin` for task medication: RecBole's user is a visit, the patient stands behind it.

    A visit's features are its own codes, and codes and medications of the visits known to be earlier. Its own
    medications, and those of later visits or of visits that cannot be ordered, are never among them.
    """

    inter_feat: Any

    def _get_preset(self) -> None:
        super()._get_preset()
        if not self.config["split"]:
            raise DataError(f"{self.folder}: task medication needs pre-split files, "
                            f"{self.folder.name}.<split>.train.inter and so on, in which a visit's rows lie in one "
                            "part; RecBole's own splitting would tear visits apart")

    @cached_property
    def _frame(self) -> pd.DataFrame:
        """The ``.user`` file, rows by visit."""
        return read_frame(self.folder / f"{self.folder.name}.user")

    def _get_remap_list(self, field_list: Any) -> list[Any]:
        """Numbers every visit of the ``.user`` file, whether RecBole loads that file or not."""
        found = super()._get_remap_list(field_list)
        if self.uid_field in field_list:
            found.append((pd.DataFrame({self.uid_field: self._frame.index}), self.uid_field, FeatureType.TOKEN))
        return found

    @property
    def visit_file(self) -> VisitFile:
        """Patients, order and codes as the ``.user`` file has them."""
        if "visit_file" not in self._shared:
            self._shared["visit_file"] = visits_of(self._frame, self.user_tokens)
        return self._shared["visit_file"]

    @property
    def patient_tokens(self) -> list[str]:
        """The patient of each visit by internal id [U], [PAD] first."""
        return self.visit_file.patients

    @property
    def visits(self) -> VisitTables:
        """What visit models see.

        Raises:
            RuntimeError: before ``build``.
        """
        self._seen()
        return self._shared["visits"]

    @property
    def ddi(self) -> Tensor | None:
        """[I, I] bool, symmetric: pairs of medications that ``ddi.csv`` warns of; None where there is no such file."""
        if "ddi" not in self._shared:
            self._shared["ddi"] = read_ddi(self.folder, self.item_tokens)
        return self._shared["ddi"]

    def _make_table(self, request: FeatureRequest) -> tuple[FeatureTable, dict[str, Any] | None]:
        if isinstance(request.encoder, VisitPromptSpec):
            return folder_prompts(self.store, self.visit_file, self.visits.medications, request.encoder)
        return super()._make_table(request)

    @property
    def teacher_states(self) -> tuple[Tensor, Tensor] | None:
        """What `teach` was given, by internal id: [U, W] bfloat16 and presence [U] bool; None before."""
        return self._shared.get("teacher_states")

    def teach(self, states: TeacherStates) -> None:
        """Takes a teacher's states of training visits; a training visit that the teacher has not read is told."""
        matrix, present = states.align(self.user_tokens)
        lacking = int((self.train_users & ~present).sum())
        if lacking:
            log.warning("%d of %d training visits have no teacher state; they learn from their medications alone",
                        lacking, int(self.train_users.sum()))
        self._shared["teacher_states"] = matrix, present

    def visit_truth(self, ids: Tensor) -> Tensor:
        """Medications of the visits with these internal ids [N] -> [N, I] bool, whatever part they are in."""
        return multi_hot(padded_rows(*self.visits.medications, ids), self.num(self.iid_field)).bool()

    def build(self) -> list[Any]:
        """As `MedMixin.build`; then notes medications, codes seen in training, and statistics."""
        self._shared["medications"] = sets_of(*self._given(), self.num(self.uid_field))
        parts = super().build()
        self._count(parts)
        return parts

    def _given(self) -> tuple[Tensor, Tensor]:
        """Internal ids of visits [N] and of their medications [N], of all parts."""
        visits, items = (self.inter_feat[field].to_numpy(dtype=np.int64) for field in (self.uid_field, self.iid_field))
        return torch.from_numpy(visits), torch.from_numpy(items)

    def _visits_by_part(self, parts: list[Any]) -> list[Tensor]:
        """Internal ids of the visits of each part, each once."""
        return [torch.unique(part.inter_feat[self.uid_field]) for part in parts]

    def _targets(self, parts: list[Any]) -> list[Any]:
        """Checks that no visit is torn, makes the tables, and keeps the rows of the visits that are to be scored."""
        users = self._visits_by_part(parts)
        torn = len(torch.cat(users)) - len(torch.unique(torch.cat(users)))
        if torn:
            raise DataError(f"{self.folder}: split '{self.config['split']}': {torn} visits have rows in two parts; all "
                            "rows of a visit belong to one part")
        file, trained = self.visit_file, torch.zeros(self.num(self.uid_field), dtype=torch.bool)
        trained[users[0]] = True
        self._shared["diagnosis_visits"] = _visits_of(file.codes["diag"], trained, len(file.vocabulary["diag"]))
        seen = {kind: _visits_of(file.codes[kind], trained, len(file.vocabulary[kind])) > 0 for kind in KINDS}
        number = {token: place for place, token in enumerate([PAD, *sorted(set(file.patients[1:]))])}
        self._shared["visits"] = VisitTables(
            file.vocabulary, seen, {kind: file.codes[kind].only(seen[kind]) for kind in KINDS}, file.history,
            self._shared["medications"], torch.tensor([number[token] for token in file.patients]))
        return parts if (self.config["target_visits"] or "all") == "all" else self._last_only(parts)

    def _last_only(self, parts: list[Any]) -> list[Any]:
        """The rows of visits that no other visit is known to follow."""
        followed = self.visit_file.history.values
        last = torch.bincount(followed, minlength=self.num(self.uid_field)) == 0
        kept = [part.copy(part.inter_feat[last[part.inter_feat[self.uid_field]].nonzero().squeeze(-1)])
                for part in parts]
        for name, part in zip(PARTS, kept):
            if not len(part):
                raise DataError(f"{self.folder}: split '{self.config['split']}' has no patient's last visit in its "
                                f"{name} part; take another split, or --target_visits=all")
        return kept

    def groups(self, user_tokens: Sequence[str], phase: str) -> dict[str, np.ndarray]:
        """Groups of evaluated visits.

        Args:
            user_tokens: N visits.
            phase: has no effect; groups are the same in all parts.

        Returns:
            Name to [N] bool. ``single_visit`` and ``multi_visit``: no / an earlier visit of the patient is known.
            Finer, one of four each: ``sole_visit``, the patient has no other; ``first_visit``, all others are later;
            ``with_history``, some are earlier and all others later; ``order_unknown``, one of the others cannot be
            ordered. ``rare_diagnosis``: a diagnosis of fewer than 5 training visits.
        """
        self._seen()
        id_of = {token: row for row, token in enumerate(self.user_tokens)}
        ids = torch.tensor([id_of[token] for token in user_tokens], dtype=torch.int64)
        tables, file = self.visits, self.visit_file
        others = torch.bincount(tables.patients)[tables.patients] - 1
        earlier, later = tables.history.sizes, torch.bincount(tables.history.values, minlength=len(others))
        unordered = others - earlier - later > 0
        few = self._shared["diagnosis_visits"] < RARE
        rare = torch.bincount(file.codes["diag"].only(few).owners, minlength=len(others)) > 0
        found = {"single_visit": earlier == 0, "multi_visit": earlier > 0, "sole_visit": others == 0,
                 "first_visit": (others > 0) & (earlier == 0) & ~unordered,
                 "with_history": (earlier > 0) & ~unordered, "order_unknown": unordered, "rare_diagnosis": rare}
        return {name: mask[ids].numpy() for name, mask in found.items()}

    def _count(self, parts: list[Any]) -> None:
        """Adds to the statistics what they say of visits."""
        file, tables, told = self.visit_file, self.visits, self.statistics
        tested = torch.unique(parts[-1].inter_feat[self.uid_field])
        ids = self._visits_by_part(parts)
        told["patients"] = len(set(file.patients)) - 1
        told["visits"] = {name: len(some) for name, some in zip(PARTS, ids)}
        told["items_per_user"] = {name: round(len(part) / len(some), 2) for name, part, some in zip(PARTS, parts, ids)}
        told["codes"] = {kind: len(file.vocabulary[kind]) - 1 for kind in KINDS}
        told["codes_seen_in_training"] = {kind: int(tables.seen[kind].sum()) for kind in KINDS}
        told["visits_with_history"] = int((tables.history.sizes > 0).sum())
        masks = self.groups([self.user_tokens[visit] for visit in tested.tolist()], "test")
        told["groups"] = {name: int(mask.sum()) for name, mask in masks.items()}
        told["ddi"] = "no list" if self.ddi is None else ddi_statistics(self.folder, self.ddi, tables.medications)


class VisitDataset(VisitMixin, Dataset):
    """`VisitMixin` over RecBole's plain ``Dataset``: what all visit models and most of RecBole's use."""


def _visits_of(codes: Ragged, visits: Tensor, count: int) -> Tensor:
    """Among the visits [U] bool, how many have each code -> [count]."""
    return torch.bincount(codes.values[visits[codes.owners]], minlength=count)
