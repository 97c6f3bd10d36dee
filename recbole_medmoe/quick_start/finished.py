"""The pool of finished runs below a folder: what suites and students need is not made twice."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..atomic import data_sha256
from ..config import MedConfig
from ..store import read_record
from ..version import __version__
from .record import config_sha256

__all__ = ["Key", "Pool"]


class Key(NamedTuple):
    """What makes two runs the same: configuration (labels, share and pictures are keys of it), seed, data, version."""

    config_sha256: str
    seed: int
    data_sha256: str
    version: str

    @classmethod
    def of(cls, config: MedConfig) -> Key:
        """The key of the run that a configuration asks for."""
        content = data_sha256(config.dataset_folder, config.split, config.labels)
        return cls(config_sha256(config.resolved()), config["seed"], content, __version__)


@dataclass
class Pool:
    """Finished runs below a folder, found by what makes them the same; other processes may add to it at any time."""

    folder: Path
    _found: dict[Key, tuple[str, Path]] = field(default_factory=dict)
    _seen: set[Path] = field(default_factory=set)

    def refresh(self, dataset: str) -> None:
        """Reads records that are new since the last call.

        Raises:
            RecordError: a record that does not fit the schema.
        """
        for path in sorted(self.folder.glob(f"{dataset}/*/*/record.json")):
            if path not in self._seen:
                self.add(path.parent)

    def add(self, folder: Path) -> Key:
        """Reads one finished run; of equal ones the newest counts."""
        record = read_record(folder)
        self._seen.add(folder / "record.json")
        key = Key(record["model"]["config_sha256"], record["training"]["seed"], record["data"]["sha256"],
                  record["code"]["version"])
        entry = (str(record["run"]["started"]), folder)
        self._found[key] = max(self._found.get(key, entry), entry)
        return key

    def get(self, key: Key) -> Path | None:
        """Folder of the newest finished run; None where there is none."""
        return self._found[key][1] if key in self._found else None
