"""RecBole data sets over atomic folders: what RecBole would build, plus texts, pictures, features and groups."""
from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import pandas as pd
import torch
from recbole.data.dataset import Dataset
from recbole.utils import FeatureType
from torch import Tensor

from ..atomic import PARTS, inter_path, is_credentialed, read_atomic, statistics, validate_folder
from ..encoders import EncoderSpec, FeatureBank
from ..encoders.progress import progress_mode
from ..paths import cache_dir, dataset_folder
from .requests import CollaborativeSpec, FeatureRequest, FeatureTable
from .share import kept_users, recount
from .tables import FolderFeatures
from .visit_tables import Ragged, VisitTables

GROUP_COLUMN = "conditions"
RECBOLE_OWN = "ml-100k"  # RecBole always reads this one from its own package


class MedMixin:
    """What this package adds to a RecBole data set; a `FeatureSource` once `build` has split it.

    The train, valid and test copies that `build` makes share one store of features, so that an encoder runs once.

    Attributes:
        folder: where the files lie.
        statistics: counts of the folder, split and parts; stored in a run's record.
    """

    config: Any
    field2id_token: dict[str, Any]
    uid_field: str
    iid_field: str

    def _get_preset(self) -> None:
        super()._get_preset()  # type: ignore[misc]
        name, given = str(self.config["dataset"]), Path(self.config["data_path"])
        self.statistics: dict[str, Any] = {}
        self._shared: dict[str, Any] = {"tables": {}, "states": {}, "seen": None}
        self._own_rows: Any = None
        self.folder = given
        if name == RECBOLE_OWN:
            return
        if given.name != name or not any(given.glob(f"{name}*.inter")):
            self.folder = dataset_folder(name, given.parent if given.name == name else given)
        self.dataset_path = str(self.folder)
        split = self.config["split"]
        columns = {"user": self.config["USER_ID_FIELD"], "item": self.config["ITEM_ID_FIELD"]}
        labels = self.config["labels"]
        validate_folder(self.folder, splits=[split] if split else [], labels=labels, **columns)
        self.statistics = dict(statistics(self.folder, split, labels=labels, **columns))

    def _load_inter_feat(self, token: str, dataset_path: str) -> None:
        """Reads a label variant's rows from its own folder, where they bear the names that RecBole expects."""
        split, labels = self.config["split"], self.config["labels"]
        if labels is None:
            super()._load_inter_feat(token, dataset_path)  # type: ignore[misc]
            return
        variant = inter_path(self.folder, split, "train", labels).parent
        super()._load_inter_feat(token, str(variant))  # type: ignore[misc]
        own = [read_atomic(inter_path(self.folder, split, part)) for part in PARTS]
        self._own_rows = pd.concat(own, ignore_index=True)

    def _get_remap_list(self, field_list: Any) -> list[Any]:
        """Numbers users and items as without the label variant: RecBole counts them by their first appearance."""
        found = super()._get_remap_list(field_list)  # type: ignore[misc]
        if self._own_rows is None:
            return found
        own = [field for field in (self.uid_field, self.iid_field) if field in field_list]
        return [(self._own_rows, field, FeatureType.TOKEN) for field in own] + found

    def _with_train_share(self, part: Any) -> Any:
        """The training part with the rows of the users that the key ``train_share`` keeps; ids stay."""
        share = self.config["train_share"]
        if share is None or share >= 1:
            return part
        users, owners = part.inter_feat[self.uid_field], self.patient_tokens
        seen = torch.unique(users).tolist()
        kept = kept_users(list(dict.fromkeys(owners[user] for user in seen)), share, self.config["seed"])
        ids = torch.tensor([user for user in seen if owners[user] in kept])
        self.statistics["train_users"] = {"kept": len(ids), "of": len(seen)}
        return part.copy(part.inter_feat[torch.isin(users, ids).nonzero().squeeze(-1)])

    def build(self) -> list[Any]:
        """Splits as RecBole does, keeps a share of the training users, and notes what has a training row."""
        parts = super().build()  # type: ignore[misc]
        parts[0] = self._with_train_share(parts[0])
        parts = self._targets(parts)
        trained = getattr(parts[0], "whole", parts[0]).inter_feat
        users, items = trained[self.uid_field], trained[self.iid_field]
        seen_users = torch.zeros(self.num(self.uid_field), dtype=torch.bool).index_fill_(0, users, True)
        seen_items = torch.zeros(self.num(self.iid_field), dtype=torch.bool).index_fill_(0, items, True)
        self._shared["seen"] = (seen_users, seen_items, users, items)
        rows = {name: len(part) for name, part in zip(("train", "valid", "test"), parts)}
        self.statistics |= {"users": self.num(self.uid_field) - 1, "items": self.num(self.iid_field) - 1, "rows": rows}
        if "train_users" in self.statistics and "items_per_user" in self.statistics:
            tested = [torch.unique(parts[-1].inter_feat[field]) for field in (self.uid_field, self.iid_field)]
            self.statistics |= recount(self.statistics, (seen_users, seen_items), (tested[0], tested[1]), rows["train"])
        return parts

    def _targets(self, parts: list[Any]) -> list[Any]:
        """The rows of each part that are trained on or scored: here all."""
        return parts

    def num(self, field: str) -> int:
        """Number of internal ids or values of a column, as RecBole counts them."""
        return int(super().num(field))  # type: ignore[misc]

    @property
    def item_tokens(self) -> list[str]:
        """I tokens by internal id, [PAD] first."""
        return [str(token) for token in self.field2id_token[self.iid_field]]

    @property
    def user_tokens(self) -> list[str]:
        """U tokens by internal id, [PAD] first."""
        return [str(token) for token in self.field2id_token[self.uid_field]]

    @property
    def patient_tokens(self) -> list[str]:
        """The patient behind each user by internal id [U], [PAD] first: here the user."""
        return self.user_tokens

    def clusters(self, user_tokens: Sequence[str]) -> np.ndarray:
        """The patient of each of N users -> [N] text: rows of one patient are drawn together by the bootstrap."""
        owner = dict(zip(self.user_tokens, self.patient_tokens))
        return np.array([owner[token] for token in user_tokens])

    @property
    def visits(self) -> VisitTables | None:
        """None: users are no visits; see `VisitMixin`."""
        return None

    @property
    def teacher_states(self) -> tuple[Tensor, Tensor] | None:
        """None: only visits have a teacher; see `VisitMixin`."""
        return None

    @property
    def options(self) -> Ragged | None:
        """None: users are no questions; see `ChoiceMixin`."""
        return None

    @property
    def ddi(self) -> Tensor | None:
        """None: items are no medications; see `VisitMixin`."""
        return None

    def _seen(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if self._shared["seen"] is None:
            raise RuntimeError("call data_preparation (or build) first: the split tells what training sees")
        return self._shared["seen"]

    @property
    def train_users(self) -> Tensor:
        """[U] bool: users with a training row."""
        return self._seen()[0]

    @property
    def train_items(self) -> Tensor:
        """[I] bool: items with a training row."""
        return self._seen()[1]

    @property
    def known_items(self) -> Tensor:
        """[I] bool: the catalogue without [PAD] and without the items that the split's candidates keep from training.

        An item that merely nobody chose stays in: training may learn that.
        """
        known = torch.ones(self.num(self.iid_field), dtype=torch.bool)
        known[0] = False
        for phase in ("valid", "test"):
            candidates = self.candidates(phase)
            if candidates is not None:
                known &= ~candidates | self.train_items
        return known

    def training_pairs(self) -> tuple[Tensor, Tensor]:
        """User ids [N] and item ids [N] of the training rows."""
        return self._seen()[2], self._seen()[3]

    def candidates(self, phase: str) -> Tensor | None:
        """[I] bool: items that are ranked in ``valid`` or ``test``; None means the whole catalogue."""
        path = self.folder / f"{self.folder.name}.{self.config['split']}.candidates.csv"
        if not self.config["split"] or not path.is_file():
            return None
        with path.open(encoding="utf-8", newline="") as stream:
            wanted = {row["item_id"] for row in csv.DictReader(stream) if row["phase"] == phase}
        return torch.tensor([token in wanted for token in self.item_tokens], dtype=torch.bool) if wanted else None

    @property
    def store(self) -> FolderFeatures:
        """Texts, pictures and feature tables, read on first use and shared by all copies."""
        if "store" not in self._shared:
            options = {"reencode": bool(self.config["reencode"]), "device": self.config["device"],
                       "batch_tokens": self.config["encode_batch_tokens"] or 4096,
                       "progress": progress_mode(self.config["progress"]),
                       "allow_download": bool(self.config["allow_download"]),
                       "notes": {"derived_from_credentialed": self.is_credentialed}}
            cache = cache_dir(self.config["cache_dir"])
            tokens = {"user": self.user_tokens, "item": self.item_tokens}
            columns = {"user": (self.config["load_col"] or {}).get("user")}
            self._shared["store"] = FolderFeatures(self.folder, tokens, cache, options, self.config["split"], columns,
                                                   self.config["text_columns"] or {})
        return self._shared["store"]

    @property
    def is_credentialed(self) -> bool:
        """Whether the manifest says that the data derive from a credentialed source."""
        return is_credentialed(self.folder)

    def texts(self, side: str) -> dict[str, str]:
        """Token to raw text of ``user`` or ``item``."""
        return self.store.texts(side)

    def features(self, request: FeatureRequest) -> FeatureTable:
        """Feature table of one request; made once, then shared.

        Raises:
            DataError, FeatureBankError, MissingPackageError: the data or the encoder are not as they should be.
        """
        if request not in self._shared["tables"]:
            table, state = self._make_table(request)
            self._shared["tables"][request], self._shared["states"][request] = table, state
            absent = int((~table.present[1:]).sum())
            self.statistics.setdefault("missing", {})[request.key] = absent
            if "store" in self._shared and request.key in self.store.cut:
                self.statistics.setdefault("cut", {})[request.key] = self.store.cut[request.key]
        return self._shared["tables"][request]

    def give_vectors(self, spec: CollaborativeSpec, vectors: FeatureBank) -> None:
        """Takes the item vectors of a small model, which a model's collaborative request is answered with."""
        self._shared["collaborative"] = {**self._shared.get("collaborative", {}), spec: vectors}

    def _make_table(self, request: FeatureRequest) -> tuple[FeatureTable, dict[str, Any] | None]:
        if isinstance(request.encoder, CollaborativeSpec):
            given = self._shared.get("collaborative", {})
            if request.encoder not in given:
                raise RuntimeError(f"call give_vectors first: nothing has trained {request.encoder}")
            matrix, present = given[request.encoder].align(self.item_tokens)
            return FeatureTable(torch.from_numpy(matrix), torch.from_numpy(present)), None
        return self.store.table(request, self.train_users if request.side == "user" else self.train_items)

    def other_pictures(self, request: FeatureRequest, kind: str) -> FeatureTable:
        """What stands in for the pictures of one request at test; made once, then shared.

        Args:
            request: of modality ``image``.
            kind: ``photo`` or ``blurred``, see `FolderFeatures.other_pictures`; ``none`` marks all as absent.
        """
        if kind == "none":
            known = self.features(request)
            return FeatureTable(torch.zeros_like(known.matrix), torch.zeros_like(known.present))
        if (request, kind) not in self._shared["tables"]:
            assert isinstance(request.encoder, EncoderSpec)
            self._shared["tables"][request, kind] = self.store.other_pictures(request.encoder, kind)
        return self._shared["tables"][request, kind]

    def fitted(self, request: FeatureRequest) -> dict[str, Any] | None:
        """JSON state of a fitted feature; None for what is not fitted."""
        self.features(request)
        return self._shared["states"][request]

    def groups(self, user_tokens: Sequence[str], phase: str) -> dict[str, np.ndarray]:
        """Groups of evaluated users.

        Args:
            user_tokens: N tokens.
            phase: ``valid`` or ``test``.

        Returns:
            Name to [N] bool: ``cold_patient`` and ``warm_patient`` (has no / a training row), ``cold_item`` (all ranked
            items are without a training row), and ``condition:...`` for each value of a ``conditions`` column.
        """
        id_of = {token: row for row, token in enumerate(self.user_tokens)}
        ids = torch.tensor([id_of[token] for token in user_tokens], dtype=torch.int64)
        warm = self.train_users[ids].numpy()
        found = {"cold_patient": ~warm, "warm_patient": warm}
        candidates = self.candidates(phase)
        if candidates is not None and not bool((candidates & self.train_items).any()):
            found["cold_item"] = np.ones(len(ids), dtype=bool)
        if (self.folder / f"{self.folder.name}.user").is_file() and self.config["dataset"] != RECBOLE_OWN:
            records, _ = self.store.records("user")
            cells = [set(records[row].get(GROUP_COLUMN, ())) for row in ids.tolist()]
            for value in sorted(set().union(*cells)):
                found[f"condition:{value}"] = np.array([value in cell for cell in cells])
        return found

    def describe(self) -> str:
        """The statistics as a plain table, one line each."""
        lines = []
        for name, value in self.statistics.items():
            shown = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
            lines.append(f"{name.replace('_', ' '):<28}{shown}")
        return "\n".join(lines)


class MedDataset(MedMixin, Dataset):
    """`MedMixin` over RecBole's plain ``Dataset``: what all feature models and most of RecBole's use."""
