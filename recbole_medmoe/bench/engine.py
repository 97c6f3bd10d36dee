"""Engines carry out orders, each in a process of its own, so that memory and devices are clean; here, or on a cluster.
"""
from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from ..files import atomic_write
from .worker import ANSWER, ORDER

__all__ = ["Answer", "Engine", "Failure", "LocalEngine", "Order", "Outcome", "Process"]

_ROOT = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True)
class Order:
    """Work for one process.

    Args:
        name: what it is called in lines and failures.
        kind: key of `worker.KINDS`.
        values: JSON, for the function of that kind.
    """

    name: str
    kind: str
    values: Mapping[str, Any]

    @property
    def file_name(self) -> str:
        """Its name as a file's, with a few digits of its content: other orders have other files."""
        digest = hashlib.sha256(json.dumps([self.kind, self.values], sort_keys=True).encode()).hexdigest()
        return f"{re.sub(r'[^A-Za-z0-9.=+_]+', '-', self.name).strip('-')[:80]}-{digest[:8]}"

    def text(self, folder: Path, device: str | None) -> str:
        """JSON for the process; an engine's device goes over the order's own."""
        values = {**self.values, **({} if device is None else {"device": device})}
        return json.dumps({"kind": self.kind, "values": values, "folder": str(folder)})


@dataclass(frozen=True)
class Failure:
    """What went wrong with an order in one line, and the file with all that its process printed."""

    name: str
    message: str
    log: Path | None

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" + (f" (log: {self.log})" if self.log else "")


@dataclass(frozen=True)
class Outcome:
    """What became of an order: the values that its function gave back, or a failure."""

    order: Order
    result: dict[str, Any] | None
    failure: Failure | None
    seconds: float


class Engine(Protocol):
    """Where orders are carried out: ``with engine: for outcome in engine.run(orders): ...``"""

    @property
    def slots(self) -> int:
        """How many orders go on at once."""

    def __enter__(self) -> Engine:
        """Makes it ready."""

    def __exit__(self, *error: object) -> None:
        """Lets go of what it holds."""

    def run(self, orders: Iterator[Order]) -> Iterator[Outcome]:
        """Yields outcomes as they come. The next order is asked for only when a slot is free and all outcomes so far
        were taken, so that a search may choose it by them. Closing the iterator ends what goes on."""


@dataclass(frozen=True)
class Answer:
    """What a process left: values or a message, and what it printed."""

    result: dict[str, Any] | None
    message: str
    output: str

    def outcome(self, order: Order, folder: Path, seconds: float) -> Outcome:
        """The outcome; a failure's output is kept below ``folder/failed``."""
        if self.result is not None:
            return Outcome(order, self.result, None, seconds)
        log = folder / "failed" / f"{order.file_name}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(log, f"{order.name}\n{json.dumps(dict(order.values))}\n{self.message}\n\n{self.output}".encode())
        return Outcome(order, None, Failure(order.name, self.message, log), seconds)


class Process:
    """A process of `worker` with its order; it ends with the process that made it.

    Args:
        text: of `Order.text`.
        threads: CPU threads of its libraries; None leaves that to them and to OMP_NUM_THREADS.
    """

    def __init__(self, text: str, threads: int | None = None) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="medmoe-")
        place = Path(self._place.name)
        (place / ORDER).write_text(text, encoding="utf-8")
        self._log = place / "output.txt"
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if _ROOT not in sysconfig.get_paths().values():   # a source tree, of which a process in any folder must know
            environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_ROOT, environ.get("PYTHONPATH")]))
        if threads is not None:
            environ.setdefault("OMP_NUM_THREADS", str(threads))
        with open(self._log, "wb") as log:
            self._popen = self._start(place, log, environ)

    @staticmethod
    def _start(place: Path, log: IO[bytes], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        # A session of its own: a Ctrl-C of the terminal reaches the parent alone, which then ends its processes.
        return subprocess.Popen([sys.executable, "-m", "recbole_medmoe.bench.worker", str(place)], env=environ,
                                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self._popen.poll() is not None

    def answer(self) -> Answer:
        """What it left, once it has ended."""
        path = Path(self._place.name) / ANSWER
        output = self._log.read_text(encoding="utf-8", errors="replace")
        code = self._popen.returncode
        if path.is_file():
            told = json.loads(path.read_text(encoding="utf-8"))
            answer = Answer(told.get("result"), told.get("message", ""), output)
        else:
            killed = f"was killed by signal {-code} (memory that ran out?)" if code < 0 else f"ended with code {code}"
            answer = Answer(None, f"its process {killed} and left no answer", output)
        self.end()
        return answer

    def end(self) -> None:
        """Ends it where it still goes on, and removes its files."""
        if not self.is_done:
            self._popen.kill()
            self._popen.wait()
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError):
                self._popen.stdin.close()
        self._place.cleanup()


class LocalEngine:
    """Processes on this machine.

    Args:
        folder: where runs go.
        devices: one process at a time on each; none leaves the device to the configuration.
        jobs: processes at once where no devices are named; several share the CPU's threads.
    """

    def __init__(self, folder: Path, devices: Sequence[str] = (), jobs: int = 1) -> None:
        self._folder = folder
        self._devices: list[str | None] = [*devices] or [None] * jobs

    @property
    def slots(self) -> int:
        """See `Engine.slots`."""
        return len(self._devices)

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *error: object) -> None:
        """Holds nothing between two calls of `run`."""

    def run(self, orders: Iterator[Order]) -> Iterator[Outcome]:
        """See `Engine.run`."""
        threads = max(1, (os.cpu_count() or 1) // self.slots) if self.slots > 1 else None
        free, going, more = list(self._devices), [], True
        try:
            while True:
                while more and free:
                    order = next(orders, None)
                    more = order is not None
                    if order is not None:
                        device = free.pop(0)
                        process = Process(order.text(self._folder, device), threads)
                        going.append((process, order, device, time.perf_counter()))
                if not going:
                    return
                done = next((one for one in going if one[0].is_done), None)
                if done is None:
                    time.sleep(.02)
                    continue
                going.remove(done)
                process, order, device, begun = done
                free.append(device)
                yield process.answer().outcome(order, self._folder, time.perf_counter() - begun)
        finally:
            for process, *_ in going:
                process.end()
