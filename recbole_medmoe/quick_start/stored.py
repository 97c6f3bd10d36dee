"""StoredRun: a finished run as its folder tells it."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, NamedTuple

import numpy as np

from ..evaluation import ratio_parts
from ..store import read_record, read_rows

GROUP = "group:"   # how the columns of groups begin in rows.parquet
ITEMS = "items: "  # and those of metrics on positives of one kind of item, ``items: <kind>/<metric>``
MISSING = "missing: "  # and of metrics while items lack a modality, ``missing: <modality> <share>/<metric>``


_PARTED = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user"}
"""Parts of ``eval_args`` that say which rows are tested, with RecBole's values where they are not given."""


class Content(NamedTuple):
    """SHA-256 of the data that a run was made on, and of its list of interactions ('' where there is none), and how
    RecBole parted the rows ('' where they come pre-split).

    The list is no part of the first, but models learn from it and the DDI rates are counted by it: runs with different
    lists are runs on different data.
    """

    data: str
    interactions: str
    parted: str = ""

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Content:
        """What a record says of it."""
        listed = record["data"].get("statistics", {}).get("ddi")
        told = record["model"]["config"].get("eval_args") if not record["data"].get("split") else None
        parted = json.dumps({key: told.get(key, usual) for key, usual in _PARTED.items()}) if told else ""
        return cls(record["data"]["sha256"], listed["sha256"] if isinstance(listed, Mapping) else "", parted)


@dataclass(frozen=True)
class StoredRun:
    """A finished run as its folder tells it.

    Attributes:
        rows: [N] row ids.
        columns: metric to [N] values, a pooled metric by its two columns (`ratio_parts`); empty where the metrics have
            no values per row.
        groups: name of a group of rows to [N] bool.
        patients: [N] the patient of each row; None where a row is a patient.
        items: ``items: <kind>/<metric>`` to [N] values, NaN in rows without such a positive, and
            ``missing: <modality> <share>/<metric>`` to [N] values.
        parts: folders of the runs that were put together as this one; none where it is one run.
    """

    folder: Path
    record: Mapping[str, Any]
    rows: np.ndarray
    columns: Mapping[str, np.ndarray]
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    patients: np.ndarray | None = None
    items: Mapping[str, np.ndarray] = field(default_factory=dict)
    parts: tuple[Path, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> StoredRun:
        """Reads record and rows.

        Raises:
            RecordError: a file is missing, damaged, or does not fit the schema.
        """
        record = read_record(folder)
        if not (folder / "rows.parquet").is_file():
            return cls(folder, record, np.zeros(0, dtype=str), {})
        table = read_rows(folder)
        names = [part for name in record["evaluation"]["metrics"] for part in (name, *ratio_parts(name))]
        columns = {name: np.asarray(table[name], dtype=np.float64) for name in names if name in table}
        groups = {name.removeprefix(GROUP): np.asarray(table[name], dtype=bool) for name in table
                  if name.startswith(GROUP)}
        patients = np.asarray(table["patient"], dtype=str) if "patient" in table else None
        items = {name: np.asarray(table[name], dtype=np.float64) for name in table if name.startswith((ITEMS, MISSING))}
        return cls(folder, record, np.asarray(table["row"], dtype=str), columns, groups, patients, items)

    @property
    def content(self) -> Content:
        """What the run was made on."""
        return Content.of_record(self.record)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where its record, or those of its parts, lie."""
        return self.parts or (self.folder,)

    @property
    def clusters(self) -> np.ndarray:
        """[N] the patient of each row."""
        return self.rows if self.patients is None else self.patients

    @property
    def primary(self) -> str:
        """The metric named beforehand: what validation chose by."""
        return str(self.record["model"]["config"]["valid_metric"]).lower()
