"""The pool of finished runs below a folder: what suites, students and collaborative vectors need is not made twice."""
from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple

from ..atomic import data_sha256
from ..config import MedConfig
from ..data.ddi import interactions_sha256
from ..store import read_record
from ..version import __version__
from .record import config_sha256, model_sha256, used_backbones, used_prompts
from .stored import Content
from .teachers import own_templates, read_by

__all__ = ["Key", "Pool", "obtain_run"]

log = logging.getLogger("recbole_medmoe")


class Key(NamedTuple):
    """What makes two runs the same: configuration (labels, share and pictures are keys of it), seed, data, version, and
    the content of what the configuration only names: hashes of the list of interactions, backbones, prompt templates,
    a student's teacher's among them, and of the file of a third party's model, which no version tells apart.
    """

    config_sha256: str
    seed: int
    data_sha256: str
    version: str
    interactions: str = ""
    backbones: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    code: str = ""

    @classmethod
    def of(cls, config: MedConfig, data: str | None = None) -> Key:
        """The key of the run that a configuration asks for.

        Args:
            config: its configuration.
            data: hash of the data, where it is known; None works it out.

        Raises:
            ConfigError, MissingPackageError: a prompt template or a backbone that is not there.
        """
        content = data_sha256(config.dataset_folder, config.split, config.labels) if data is None else data
        requests = read_by(config)
        return cls(config_sha256(config.resolved()), config["seed"], content, __version__,
                   interactions_sha256(config.dataset_folder) if config["task"] == "medication" else "",
                   tuple(used["sha256"] for used in used_backbones(requests, config["allow_download"])),
                   tuple(used["sha256"] for used in used_prompts(requests, own_templates(config))),
                   model_sha256(config) or "")

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Key:
        """The key of a finished run."""
        model, content = record["model"], Content.of_record(record)
        backbones = model["backbone"] if isinstance(model["backbone"], list) else [model["backbone"]]
        return cls(model["config_sha256"], record["training"]["seed"], content.data, record["code"]["version"],
                   content.interactions, tuple(used["sha256"] for used in backbones if used),
                   tuple(used["sha256"] for used in model.get("prompts") or ()),
                   record["code"].get("model_sha256") or "")


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
        key = Key.of_record(record)
        entry = (str(record["run"]["started"]), folder)
        self._found[key] = max(self._found.get(key, entry), entry)
        return key

    def get(self, key: Key) -> Path | None:
        """Folder of the newest finished run; None where there is none."""
        return self._found[key][1] if key in self._found else None


def obtain_run(own: MedConfig, runs_dir: Path, train: Callable[..., Any], what: str) -> tuple[Path, Any]:
    """Folder of the finished run that equals a configuration's, and the run's result where it was made now.

    Args:
        own: of the run that another one needs first.
        runs_dir: where finished runs lie and new ones go.
        train: `run_config`.
        what: what the run is needed for, told in the log.
    """
    pool = Pool(runs_dir)
    pool.refresh(own["dataset"])
    folder = pool.get(Key.of(own))
    if folder is not None:
        log.info("%s: %s of this configuration, data and seed is finished: %s", what, own.spec.name, folder)
        return folder, None
    log.info("%s: training %s first", what, own.spec.name)
    finished = train(own, runs_dir=runs_dir)
    return finished.folder, finished
