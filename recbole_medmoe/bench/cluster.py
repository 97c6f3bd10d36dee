"""The engine on a Dask cluster: orders go out as JSON, run folders come back as bytes with their hashes."""
from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ConfigError, MissingPackageError, RecordError
from ..files import atomic_write
from ..store import salt_of
from .cluster_worker import GPU, JOB, carry_out
from .engine import Answer, Order, Outcome

__all__ = ["DaskEngine", "unpack"]
log = logging.getLogger("recbole_medmoe")
_TIMEOUT = 10   # seconds until a scheduler that does not answer counts as unreachable
_PRELOAD = "dask worker ADDRESS --preload recbole_medmoe.bench.cluster_worker"


class DaskEngine:
    """Processes on the workers of a Dask scheduler; where a worker dies, Dask gives its order to another.

    Args:
        folder: where runs go, on this machine.
        scheduler: its address, e.g. ``tcp://host:8786``.
        on_gpus: only workers that have a GPU.
    """

    def __init__(self, folder: Path, scheduler: str, on_gpus: bool = False) -> None:
        self._folder, self._scheduler = folder, scheduler
        self._asked = {JOB: 1, GPU: 1} if on_gpus else {JOB: 1}
        self._client: Any = None

    def __enter__(self) -> DaskEngine:
        """Connects.

        Raises:
            ConfigError: the scheduler does not answer.
            MissingPackageError: Dask is not installed.
        """
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise MissingPackageError(f"--engine dask needs the package '{error.name}', which is not installed; "
                                      "run: pip install 'recbole_medmoe[cluster]'") from error
        try:
            self._client = Client(self._scheduler, timeout=_TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:   # nobody there; no address
            raise ConfigError([f"--scheduler {self._scheduler}: no Dask scheduler answers there "
                               f"({type(error).__name__}); start one with: dask scheduler, and give the address that "
                               "it prints"]) from error
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    @property
    def slots(self) -> int:
        """Orders that the workers take at once; 1 while there is none.

        Raises:
            ConfigError: workers, but none that takes orders of this kind.
        """
        workers = self._client.scheduler_info()["workers"].values()
        found = sum(min(int(worker["resources"].get(name, 0)) for name in self._asked) for worker in workers)
        if workers and not found:
            lacking = "has a GPU" if any(worker["resources"].get(JOB) for worker in workers) else "takes our jobs"
            raise ConfigError([f"--scheduler {self._scheduler}: none of its {len(workers)} workers {lacking}; start "
                               f"them with: {_PRELOAD}"])
        return max(found, 1)

    def run(self, orders: Iterator[Order]) -> Iterator[Outcome]:
        """See `engine.Engine.run`."""
        if not self._client.scheduler_info()["workers"]:
            log.info("waiting for a worker; start one with: %s", _PRELOAD.replace("ADDRESS", self._scheduler))
        going: dict[Any, tuple[Order, float]] = {}
        more = True
        try:
            while True:
                slots = self.slots
                while more and len(going) < slots:
                    order = next(orders, None)
                    more = order is not None
                    if order is not None:
                        going[self._submit(order)] = order, time.perf_counter()
                if not going:
                    return
                done = self._first(list(going))
                if done is not None:
                    order, begun = going.pop(done)
                    yield self._outcome(done, order, time.perf_counter() - begun)
        finally:
            self._client.cancel(list(going), force=True)

    def _submit(self, order: Order) -> Any:
        salts = {}
        if order.values.get("private"):
            dataset = str(order.values["dataset"])
            salts = {dataset: base64.b64encode(salt_of(self._folder / dataset / ".salt")).decode()}
        return self._client.submit(carry_out, order.text(Path(), None), salts, pure=False, resources=self._asked)

    def _first(self, futures: list[Any]) -> Any:
        """A future that is done; None where a second passes without one."""
        begun = time.perf_counter()
        while time.perf_counter() - begun < 1:
            for future in futures:
                if future.status != "pending":
                    return future
            time.sleep(.02)
        return None

    def _outcome(self, future: Any, order: Order, seconds: float) -> Outcome:
        if future.status != "finished":
            told = future.exception() if future.status == "error" else f"the future is {future.status}"
            return Answer(None, f"the cluster gave it up: {' '.join(str(told).split())}", "").outcome(
                order, self._folder, seconds)
        told = future.result()
        answer = Answer(told["result"], told["message"], told["output"])
        try:
            unpack(told["files"], told["sha256"], told["private"], self._folder)
        except RecordError as error:
            answer = Answer(None, str(error), told["output"])
        return answer.outcome(order, self._folder, seconds)


def unpack(files: dict[str, bytes], hashes: dict[str, str], private: list[str], folder: Path) -> None:
    """Writes what came back below ``folder``; records last, so that half a run does not count.

    Args:
        files: path below the folder to content.
        hashes: the SHA-256 of each.
        private: folders that only their owner may enter.

    Raises:
        RecordError: content that is not what its hash says, or a path that leads elsewhere; nothing is written.
        MedMoEError: the disk is full.
    """
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != hashes.get(name):
            raise RecordError(f"{name}: came back damaged (its SHA-256 is another); run it again")
    for name in (*files, *private):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise RecordError(f"{name}: leads out of the runs folder and is not written")
    for name in private:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    for name in sorted(files, key=lambda name: PurePosixPath(name).name == "record.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        atomic_write(folder / name, files[name])
