"""ChoiceDataset: a data set whose users are questions, each with options of its own, one of them right."""
from __future__ import annotations

from functools import cached_property
from typing import Any, Sequence

import numpy as np
import pandas as pd
import torch
from recbole.data.dataset import Dataset
from recbole.utils import FeatureType
from torch import Tensor

from ..atomic import PARTS, read_candidates
from ..errors import DataError
from .dataset import MedMixin
from .visit_tables import Ragged

TASK, SOURCE = "task", "source"


class ChoiceMixin(MedMixin):
    """`MedMixin` for task choice: RecBole's user is a question, its items are the options of all questions.

    ``candidates.csv`` gives each question its options, in the order in which they are shown; a row of the ``.inter``
    files is a question's right option. Columns ``task`` and ``source`` of the ``.user`` file make groups, and are read
    by no model that does not ask for columns.
    """

    def _get_preset(self) -> None:
        super()._get_preset()
        columns = self.config["USER_ID_FIELD"], self.config["ITEM_ID_FIELD"]
        self._own = read_candidates(self.folder, *columns)
        if not self._own or not self.config["split"]:
            raise DataError(f"{self.folder}: task choice needs candidates.csv, a row {','.join(columns)} for each "
                            f"option of a question, and pre-split files {self.folder.name}.<split>.train.inter ...")

    def _get_remap_list(self, field_list: Any) -> list[Any]:
        """Numbers every question and option, whether RecBole loads the ``.user`` and ``.item`` files or not."""
        found = super()._get_remap_list(field_list)
        for field, tokens in ((self.uid_field, list(self._own)),
                              (self.iid_field, [item for own in self._own.values() for item in own])):
            if field in field_list:
                found.append((pd.DataFrame({field: tokens}), field, FeatureType.TOKEN))
        return found

    @property
    def options(self) -> Ragged:
        """Item ids of the options of each question [U], in the order in which they are shown."""
        if "options" not in self._shared:
            number = {token: place for place, token in enumerate(self.item_tokens)}
            self._shared["options"] = Ragged.of([[number[item] for item in self._own.get(user, ())]
                                                 for user in self.user_tokens])
        return self._shared["options"]

    @property
    def train_items(self) -> Tensor:
        """[I] bool: options of training questions, the right and the wrong ones."""
        found = torch.zeros(self.num(self.iid_field), dtype=torch.bool)
        found[self.options.values[self.train_users[self.options.owners]]] = True
        return found

    @cached_property
    def _columns(self) -> dict[str, list[str]]:
        """Task and source of each question by internal id [U]; empty text where the data set does not say."""
        if not (self.folder / f"{self.folder.name}.user").is_file():
            return {name: [""] * self.num(self.uid_field) for name in (TASK, SOURCE)}
        records, _ = self.store.records("user")
        return {name: [str(row.get(name, "")) for row in records] for name in (TASK, SOURCE)}

    @property
    def tasks(self) -> list[str]:
        """The task of each question by internal id [U]; empty text where the data set does not say."""
        return self._columns[TASK]

    def build(self) -> list[Any]:
        """As `MedMixin.build`; then notes statistics of the questions."""
        parts = super().build()
        told, sizes = self.statistics, self.options.sizes
        tested = torch.unique(parts[-1].inter_feat[self.uid_field])
        for name in ("users_only_in_test", "items_only_in_test", "items_per_user"):
            told.pop(name, None)
        masks = self.groups([self.user_tokens[question] for question in tested.tolist()], "test")
        told["groups"] = {name: int(mask.sum()) for name, mask in masks.items()}
        told["options"] = {"fewest": int(sizes[1:].min()), "most": int(sizes.max()),
                           "mean": round(float(sizes[1:].double().mean()), 2)}
        told["tasks"] = len(set(self.tasks[1:]))
        return parts

    def _targets(self, parts: list[Any]) -> list[Any]:
        """Checks that each question has one right option, in one part."""
        users = torch.cat([part.inter_feat[self.uid_field] for part in parts])
        twice = len(users) - len(torch.unique(users))
        if twice:
            raise DataError(f"{self.folder}: split '{self.config['split']}': {twice} questions have a second right "
                            f"option in {', '.join(PARTS)}; a question has one, in one part")
        return parts

    def groups(self, user_tokens: Sequence[str], phase: str) -> dict[str, np.ndarray]:
        """Groups of evaluated questions.

        Args:
            user_tokens: N questions.
            phase: has no effect; groups are the same in all parts.

        Returns:
            Name to [N] bool: ``source:...`` and ``task:...`` for each value of these columns.
        """
        id_of = {token: row for row, token in enumerate(self.user_tokens)}
        ids = [id_of[token] for token in user_tokens]
        found: dict[str, np.ndarray] = {}
        for name in (SOURCE, TASK):
            told: np.ndarray = np.array([self._columns[name][place] for place in ids], dtype=object)
            found |= {f"{name}:{value}": told == value for value in sorted(set(told)) if value}
        return found


class ChoiceDataset(ChoiceMixin, Dataset):
    """`ChoiceMixin` over RecBole's plain ``Dataset``: what all models of choice and most of RecBole's use."""
