"""The store of a search: ``search.json`` says what is searched, ``trials.jsonl`` has a line per ended trial."""
from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Literal, Mapping

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from ...errors import MedMoEError, RecordError
from ...files import atomic_write

__all__ = ["SearchedElsewhere", "Trial", "TrialStore"]
log = logging.getLogger("recbole_medmoe")
_SEARCH, _TRIALS = "search.json", "trials.jsonl"


class SearchedElsewhere(MedMoEError):
    """Another process searches there."""


class Trial(BaseModel):
    """One ended trial.

    Args:
        number: from 0 on. values: of the space's keys.
        status: ``finished``, ``stopped`` by the median rule, or ``failed`` with its ``reason``.
        score: best validation score; None for a failed trial.
        valid: all validation metrics of the best epoch.
        curve: epoch, counted from 0, and validation score, one per validation.
        seconds: of the training with its validations.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    number: NonNegativeInt
    values: dict[str, Any]
    status: Literal["finished", "stopped", "failed"]
    score: float | None
    valid: dict[str, float | None]
    curve: list[tuple[int, float]]
    epochs: NonNegativeInt
    best_epoch: int | None
    seconds: float
    reason: str | None


class TrialStore:
    """Trials on disk. A line counts once it is whole and synced; what a kill cut off is told and run again.

    Args:
        folder: of the search.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / _TRIALS

    @property
    def exists(self) -> bool:
        """Whether a search has begun there."""
        return (self.folder / _SEARCH).is_file()

    def what(self) -> dict[str, Any]:
        """What is searched there.

        Raises:
            RecordError: damaged.
        """
        path = self.folder / _SEARCH
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as fault:
            raise RecordError(f"{path}: not JSON ({fault}); remove the folder and search again") from fault
        if not isinstance(told, dict):
            raise RecordError(f"{path}: no search; remove the folder and search again")
        return told

    def begin(self, what: Mapping[str, Any]) -> None:
        """Notes what is searched, before the first trial."""
        self._make_folder()
        atomic_write(self.folder / _SEARCH, (json.dumps(what, indent=1, ensure_ascii=False) + "\n").encode())

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise MedMoEError(f"{self.folder}: cannot be made ({fault.strerror}); give another --out") from fault

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes out while this one lives; a kill leaves no lock behind.

        Raises:
            SearchedElsewhere: another process searches there.
            MedMoEError: the folder cannot be made.
        """
        self._make_folder()
        if os.name != "posix":   # other systems have no lock that ends with its process in their standard library
            yield
            return
        import fcntl

        with (self.folder / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as fault:
                raise SearchedElsewhere(f"{self.folder}: another process is searching there; wait for it, or give "
                                        "another --out") from fault
            yield

    def read(self) -> list[Trial]:
        """Whole trials, by their number.

        Raises:
            RecordError: a line that is no trial, or a trial that stands there twice; with the line.
        """
        if not self.path.is_file():
            return []
        content = self.path.read_bytes()
        whole, _, torn = content.rpartition(b"\n")
        if torn:
            log.info("%s: the last line was cut off by a kill or a full disk; its trial runs again", self.path)
        trials: dict[int, Trial] = {}
        for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
            try:
                trial = Trial.model_validate_json(line, strict=True)
            except ValidationError as fault:
                detail = fault.errors()[0]
                raise RecordError(f"{self.path}:{number}: no trial ({'.'.join(map(str, detail['loc'])) or 'line'}: "
                                  f"{detail['msg']}); remove the line to run that trial again") from fault
            if trial.number in trials:
                raise RecordError(f"{self.path}:{number}: trial {trial.number} stands there twice; remove one line")
            trials[trial.number] = trial
        return [trials[number] for number in sorted(trials)]

    def add(self, trial: Trial) -> None:
        """Appends a trial and syncs it; a line that was cut off before is removed first.

        Raises:
            MedMoEError: it cannot be written; earlier trials are as they were.
        """
        line = (json.dumps(trial.model_dump(), ensure_ascii=False, allow_nan=False) + "\n").encode()
        kept = 0
        try:
            with open(self.path, "ab+") as file:
                file.seek(0)
                kept = file.read().rfind(b"\n") + 1
                file.truncate(kept)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as fault:
            if self.path.is_file():
                os.truncate(self.path, kept)
            raise MedMoEError(f"{self.path}: trial {trial.number} cannot be written ({fault.strerror}); free space and "
                              "go on with --resume. Earlier trials are unchanged") from fault
