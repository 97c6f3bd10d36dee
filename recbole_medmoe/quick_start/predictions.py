"""Predictions of an outside system: read, checked against a split, and put where a model's scores would be."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from ..compat import apply

apply()

from ..config import MedConfig  # noqa: E402  (RecBole needs `apply` first)
from ..data import create_dataset, data_preparation  # noqa: E402
from ..errors import ConfigError, DataError, nearest  # noqa: E402
from ..model.imported import Imported, ImportedProbabilities  # noqa: E402
from ..registry import model_names  # noqa: E402
from ..store import file_sha256  # noqa: E402
from ..trainer import build_trainer  # noqa: E402
from .assembling import Assembled  # noqa: E402

__all__ = ["Predictions"]
COLUMNS = ("row", "item", "score")
_TARGET = "recbole_medmoe.model.imported:Imported"
_TRAINER = "recbole_medmoe.trainer.imported:ImportedTrainer"


@dataclass(frozen=True)
class Predictions:
    """A file of predictions.

    Attributes:
        name: what the system is called.
        path: CSV (also gzipped) or Parquet with the columns row, item, score.
        sha256: of the file.
        table: its columns, ids as text, scores as numbers or NaN; N lines.
    """

    name: str
    path: Path
    sha256: str
    table: pd.DataFrame

    @classmethod
    def read(cls, name: str, path: Path) -> Predictions:
        """Reads a file.

        Raises:
            ConfigError: a name that belongs to a model here.
            DataError: no such file, another format, or a column that is missing.
        """
        if name in model_names():
            raise ConfigError([f"--model {name}: is a model of this program; give the imported one another name, e.g. "
                               f"{name}-outside"])
        table = _read(path)
        lacking = [column for column in COLUMNS if column not in table]
        if lacking:
            raise DataError(f"{path}: no column " + ", ".join(
                f"'{column}'{nearest(column, map(str, table.columns))}" for column in lacking)
                + "; a right first line is: row,item,score")
        table = table[list(COLUMNS)].copy()
        table["score"] = pd.to_numeric(table["score"], errors="coerce").astype(np.float64)
        table[["row", "item"]] = table[["row", "item"]].astype(str)
        return cls(name, path, file_sha256(path), table)

    def config(self, dataset: str, split: str | None, files: Sequence[Path] = (), argv: Sequence[str] = (),
               overrides: Mapping[str, Any] | None = None) -> MedConfig:
        """The configuration of the run that scores them, under the system's own name.

        Raises:
            ConfigError: all faults at once.
        """
        own = {"imported": self.name, "predictions_sha256": self.sha256}
        config = MedConfig(_TARGET, dataset, split=split, files=files, argv=argv,
                           overrides={**(overrides or {}), **own})
        config.spec = replace(config.spec, name=self.name, task=config["task"], trainer=_TRAINER)
        return config

    def told(self) -> dict[str, Any]:
        """What the record says of them."""
        return {"file": self.path.name, "sha256": self.sha256, "predictions": len(self.table)}

    def assemble(self, config: MedConfig) -> Assembled:
        """Loaders, a model that looks the scores up, and its trainer.

        Raises:
            DataError: rows or items that are not in the data set, pairs that stand there twice or are missing, scores
                that are no finite numbers; all faults in one message, which names no row.
        """
        train, valid, test = data_preparation(config, create_dataset(config))
        dataset = train._dataset
        needs_valid = config["task"] == "medication" and config["set_threshold"] == "tuned"
        needed = {"test": test, **({"validation": valid} if needs_valid else {})}
        scores = self._scores(dataset, {part: _users(loader) for part, loader in needed.items()})
        kind = ImportedProbabilities if self.table["score"].between(0, 1).all() else Imported
        model = kind(config, dataset, torch.from_numpy(scores)).to(config["device"])
        trainer = build_trainer(config, model)
        trainer.has_valid = bool(np.isfinite(scores[_users(valid)][:, 1:]).all())
        return Assembled(train, valid, test, model, trainer)

    def _scores(self, dataset: Any, needed: Mapping[str, np.ndarray]) -> np.ndarray:
        """[U, I] scores by internal ids, -inf where there is none."""
        users = {token: place for place, token in enumerate(dataset.user_tokens) if place}
        items = {token: place for place, token in enumerate(dataset.item_tokens) if place}
        rows, columns = self.table["row"].map(users), self.table["item"].map(items)
        twice = self.table.duplicated(["row", "item"])
        faults = [*self._marked(rows.isna(), "of a row that is not in the data set"),
                  *self._marked(columns.isna(), "of an item that is not in the data set", self.table["item"], items),
                  *self._marked(twice, "whose row and item stood there before"),
                  *self._marked(~np.isfinite(self.table["score"]), "whose score is no finite number")]
        right = (rows.notna() & columns.notna()).to_numpy()
        scores: np.ndarray = np.full((len(dataset.user_tokens), len(dataset.item_tokens)), -np.inf, dtype=np.float32)
        scores[rows[right].astype(int), columns[right].astype(int)] = self.table["score"][right]
        known: np.ndarray = np.zeros(scores.shape, dtype=bool)
        known[rows[right].astype(int), columns[right].astype(int)] = True
        for part, ids in needed.items():
            counts = known[ids][:, 1:].sum(axis=1)
            if (counts == 0).any():
                faults.append(f"{int((counts == 0).sum())} of {len(ids)} {part} rows have no prediction")
            if (short := (counts > 0) & (counts < len(items))).any():
                faults.append(f"{int(short.sum())} of {len(ids)} {part} rows lack items: each needs a score for all "
                              f"{len(items)}")
        if faults:
            raise DataError(f"{self.path} does not fit {dataset.dataset_name}:" + "".join(
                f"\n  - {fault}" for fault in faults))
        return scores

    def _marked(self, wrong: Any, what: str, names: Any = None, valid: Mapping[str, int] | None = None) -> list[str]:
        """One fault for all lines of a kind, with the first one's number; items may be named, rows may be patients."""
        places = np.flatnonzero(np.asarray(wrong))
        if not len(places):
            return []
        line = f"line {places[0] + 2}" if self.path.suffix != ".parquet" else f"row {places[0] + 1}"
        shown = f" '{names.iloc[places[0]]}'{nearest(names.iloc[places[0]], valid or {})}" if names is not None else ""
        return [f"{len(places)} prediction{'s' if len(places) > 1 else ''} {what}, first in {line}{shown}"]


def _users(loader: Any) -> np.ndarray:
    """Internal ids of the rows that a loader scores."""
    return np.asarray(loader.uid_list if hasattr(loader, "uid_list") else loader._dataset.inter_feat[
        loader._dataset.uid_field].unique())


def _read(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix == ".parquet":
            return pq.read_table(path, partitioning=None).to_pandas()
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except OSError as fault:
        raise DataError(f"{path}: cannot be read ({fault.strerror or str(fault).splitlines()[0]})") from fault
    except (pa.ArrowInvalid, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: neither CSV with a line of names nor Parquet ({str(fault).splitlines()[0]})"
                        ) from fault
