"""KnownPatientMixin: visits for models that know users by their ids alone, and so have to have met the patient."""
from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ..errors import DataError
from .visits import VisitMixin


class KnownPatientMixin(VisitMixin):
    """`VisitMixin` whose user is the patient, under the name of the visit that is scored.

    Rows of a patient's earlier visits train the user that bears the name of the patient's validation or test visit, so
    that the rows that are scored are those of every other model. It is for splits such as ``warm_visit``, where a
    patient has at most one such visit; the key ``target_visits`` has no effect.
    """

    file_size_list: list[int]
    field2token_id: dict[str, dict[str, int]]
    scores_repeats = True  # tells the samplers that a patient's training medications may be given again

    def _load_inter_feat(self, token: str, dataset_path: str) -> None:
        """Renames the visits of the training rows; a medication that a patient had twice counts once."""
        super()._load_inter_feat(token, dataset_path)
        ends = pd.Series(self.file_size_list).cumsum().tolist()
        self._rows = [self.inter_feat.iloc[first:last] for first, last in zip([0, *ends], ends)]
        patients = self._frame["patient_id"]
        last = self._frame.sort_values("visit_no", kind="stable").groupby("patient_id").tail(1)
        name_of = dict(zip(last["patient_id"], last.index))
        scored: dict[str, str] = {}
        for rows in self._rows[1:]:
            for visit in rows[self.uid_field].unique():
                if visit not in patients.index:
                    continue  # told with all others that have no line
                if scored.setdefault(patients[visit], visit) != visit:
                    raise DataError(f"{self.folder}: split '{self.config['split']}' scores two visits of one patient; "
                                    f"{self.config['model']} knows patients by their ids, so take a split with one, "
                                    "e.g. --split warm_visit")
        name_of |= scored
        renamed = self._rows[0].copy()
        renamed[self.uid_field] = [name_of[patients[visit]] if visit in patients.index else visit
                                   for visit in renamed[self.uid_field]]
        parts = [renamed.drop_duplicates([self.uid_field, self.iid_field]), *self._rows[1:]]
        self.inter_feat = pd.concat(parts, ignore_index=True)
        self.file_size_list = [len(part) for part in parts]

    def _ids(self, rows: pd.DataFrame, field: str) -> Tensor:
        """Internal ids of a column of the files."""
        known = self.field2token_id[field]
        return torch.tensor([known[token] for token in rows[field]], dtype=torch.int64)

    def _given(self) -> tuple[Tensor, Tensor]:
        rows = pd.concat(self._rows)
        return self._ids(rows, self.uid_field), self._ids(rows, self.iid_field)

    def _visits_by_part(self, parts: list[Any]) -> list[Tensor]:
        """The visits of the files; of training those of patients that the key ``train_share`` keeps."""
        found = [torch.unique(self._ids(rows, self.uid_field)) for rows in self._rows]
        owners = self.patient_tokens
        kept = {owners[user] for user in torch.unique(parts[0].inter_feat[self.uid_field]).tolist()}
        found[0] = found[0][torch.tensor([owners[visit] in kept for visit in found[0].tolist()], dtype=torch.bool)]
        return found

    def _last_only(self, parts: list[Any]) -> list[Any]:
        return parts
