"""The loop that fills the pool of finished runs, which all suites share."""
from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import Iterable, Iterator, Sequence

from ..errors import RecordError
from ..quick_start.finished import Pool
from .engine import Engine, Failure, Order, Outcome
from .jobs import Job
from .numbers import seconds

__all__ = ["run_jobs", "shard_of"]


def shard_of(jobs: Sequence[Job], number: int, count: int) -> list[Job]:
    """Every ``count``-th job, from the ``number``-th on (1 to count): the shards of a plan share no job and lack none.
    """
    return list(jobs)[number - 1::count]


def run_jobs(jobs: Iterable[Job], pool: Pool, engine: Engine, force: bool = False, profile: bool = False,
             ) -> list[Failure]:
    """Runs what the pool lacks; a job that fails is noted and the others go on.

    Args:
        jobs: in the order in which they begin.
        pool: read again before each job, so that two processes on one folder share their work.
        engine: where they run; its folder is the pool's.
        force: runs all, also what is there already.
        profile: each run with a trace of its first steps.

    Returns:
        The failures, in the order in which they came.
    """
    wanted = list(jobs)
    for dataset in sorted({job.dataset for job in wanted}):
        pool.refresh(dataset)
    left = [job for job in wanted if force or pool.get(job.key) is None]
    _tell(f"{len(wanted)} jobs: {len(wanted) - len(left)} finished before, {len(left)} to run")
    asked: list[tuple[Order, Job]] = []
    failures: list[Failure] = []
    done, begun = 0, time.perf_counter()

    def orders() -> Iterator[Order]:
        for number, job in enumerate(left, start=1):
            pool.refresh(job.dataset)
            if not force and pool.get(job.key) is not None:
                _tell(f"[{number}/{len(left)}] {job}: made by another process")
                continue
            pace = (time.perf_counter() - begun) / done if done else None
            rest = f", about {seconds(pace * (len(left) - number + 1))}" if pace is not None else ""
            _tell(f"[{number}/{len(left)}] {job} ({len(left) - number + 1} left{rest})")
            asked.append((job.order(profile), job))
            yield asked[-1][0]

    with closing(engine.run(orders())) as outcomes:   # type: ignore[type-var]
        for outcome in outcomes:
            done += 1
            job = next(job for order, job in asked if order is outcome.order)
            failure = outcome.failure or _taken(outcome, job, pool)
            if failure is not None:
                failures.append(failure)
                _tell(f"failed: {failure}")
            elif engine.slots > 1:
                _tell(f"finished: {job}, {seconds(outcome.seconds)}")
    return failures


def _taken(outcome: Outcome, job: Job, pool: Pool) -> Failure | None:
    """Puts a finished run into the pool; a failure where it is not the one that was asked for."""
    assert outcome.result is not None
    folder = pool.folder / outcome.result["folder"]
    try:
        found = pool.add(folder)
    except RecordError as error:
        return Failure(str(job), " ".join(str(error).split()), None)
    if found == job.key:
        return None
    parts = ", ".join(name for name in job.key._fields if getattr(found, name) != getattr(job.key, name))
    return Failure(str(job), f"{folder}: its record is not of what was asked for ({parts}), so it can not be found "
                   "again; were files changed meanwhile, or is topk above the catalogue?", None)


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
