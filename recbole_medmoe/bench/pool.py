"""The pool of finished runs that all suites share, and the loop that fills it."""
from __future__ import annotations

import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Mapping

from ..errors import Caught, MedMoEError, RecordError
from ..files import atomic_write
from ..quick_start.running import run_config
from ..quick_start.stored import Content
from ..store import read_record
from .jobs import Job, Key
from .numbers import seconds

__all__ = ["Failure", "Pool", "run_jobs"]
# The templates that shipped while records had no hashes of them (food_item, food_name, food_user, food_zero_shot,
# visit): such a record counts where these are still the ones in use, and no longer where one of them was edited.
_SHIPPED_BEFORE = frozenset({
    "64df7cc863e0776e77e08d136a9c40135f985c4e3c5f3594b6c6f6446420febe",
    "02e5cef87332b6feee2fd1ca11f959e1618be67006a8d8b150d4992fc55195a5",
    "f58a51581fabd72e235d9a3cfb34966971a541fd9e9ea2339d2af306d9fc6280",
    "1b981c47b2540608e07ed8d4aa0ce02ebed49305d8d491932a59393f779f2eda",
    "290907f100cfe36375c51a6543a4fd73d317a2d4e7454246b79e0e6131970699",
})


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
        key = _key(record)
        entry = (str(record["run"]["started"]), folder)
        self._found[key] = max(self._found.get(key, entry), entry)
        return key

    def get(self, key: Key) -> Path | None:
        """Folder of the newest finished run; None where there is none."""
        before = key._replace(prompts=None)
        if key not in self._found and before in self._found and _SHIPPED_BEFORE.issuperset(key.prompts or ()):
            key = before
        return self._found[key][1] if key in self._found else None


def _key(record: Mapping[str, Any]) -> Key:
    model, content = record["model"], Content.of_record(record)
    backbones = model["backbone"] if isinstance(model["backbone"], list) else [model["backbone"] or ()]
    return Key(model["config_sha256"], record["training"]["seed"], content.data, record["code"]["version"],
               content.interactions, tuple(used["sha256"] for used in backbones if used),
               tuple(used["sha256"] for used in model["prompts"] or ()) if "prompts" in model else None)


@dataclass(frozen=True)
class Failure:
    """A job that ended in an error: what it said, and the file with the whole trace where the fault may be ours."""

    job: Job
    message: str
    log: Path | None

    def __str__(self) -> str:
        return f"{self.job}: {self.message}" + (f" (trace: {self.log})" if self.log else "")


def run_jobs(jobs: Iterable[Job], pool: Pool, force: bool = False) -> list[Failure]:
    """Runs what the pool lacks; a job that fails is noted and the next one begins.

    Args:
        jobs: in the order in which they run.
        pool: read again before each job, so that two processes on one folder share their work.
        force: runs all, also what is there already.

    Returns:
        The failures, in their order.
    """
    wanted = list(jobs)
    for dataset in sorted({job.dataset for job in wanted}):
        pool.refresh(dataset)
    left = [job for job in wanted if force or pool.get(job.key) is None]
    _tell(f"{len(wanted)} jobs: {len(wanted) - len(left)} finished before, {len(left)} to run")
    failures: list[Failure] = []
    begun = time.perf_counter()
    for number, job in enumerate(left, start=1):
        pool.refresh(job.dataset)
        if not force and pool.get(job.key) is not None:
            _tell(f"[{number}/{len(left)}] {job}: made by another process")
            continue
        pace = (time.perf_counter() - begun) / (number - 1) if number > 1 else None
        rest = f", about {seconds(pace * (len(left) - number + 1))}" if pace is not None else ""
        _tell(f"[{number}/{len(left)}] {job} ({len(left) - number + 1} left{rest})")
        failure = _run(job, pool)
        if failure is not None:
            failures.append(failure)
            _tell(f"failed: {failure}")
    return failures


def _run(job: Job, pool: Pool) -> Failure | None:
    with Caught() as caught:   # told at the end, with its trace in a file
        folder = run_config(job.config(), runs_dir=pool.folder).folder
        if pool.add(folder) != job.key:
            raise RecordError(f"{folder}: its record is not of the configuration and data that were asked for, so it "
                              "can not be found again; were files changed meanwhile, or is topk above the catalogue?")
    error = caught.error
    if error is None:
        return None
    return Failure(job, _first_line(error), None if isinstance(error, MedMoEError) else _log(error, job, pool))


def _first_line(error: BaseException) -> str:
    text = str(error) if isinstance(error, MedMoEError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _log(error: BaseException, job: Job, pool: Pool) -> Path:
    path = pool.folder / "failed" / f"{job.model.replace(':', '.')}-{job.key.config_sha256[:12]}-{job.key.seed}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, "".join([f"{job}\n", *traceback.format_exception(error)]).encode())
    return path


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
