"""The loop that fills the pool of finished runs, which all suites share."""
from __future__ import annotations

import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from ..errors import Caught, MedMoEError, RecordError
from ..files import atomic_write
from ..quick_start.finished import Pool
from ..quick_start.running import run_config
from .jobs import Job
from .numbers import seconds

__all__ = ["Failure", "run_jobs"]


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
