"""Where and with what a run was made: versions, machine, git commit, peak memory."""
from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any

from ..version import __version__
from .gpu import gpu_driver

__all__ = ["PeakMemory", "code_version", "environment"]
_PACKAGES = ("torch", "recbole", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "transformers", "accelerate",
             "safetensors", "torchvision")
_MIB = 2**20


def environment(device: str = "cpu") -> dict[str, Any]:
    """The record's environment block.

    Args:
        device: device of the run, as torch writes it: ``cpu`` or ``cuda:N``.
    """
    import psutil

    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue   # the record lists what is installed
    gpu = None
    if str(device).startswith("cuda"):
        import torch

        gpu = torch.cuda.get_device_name(torch.device(device))
    affinity = getattr(os, "sched_getaffinity", None)
    return {"python": platform.python_version(), "platform": platform.platform(), "packages": packages,
            "device": str(device), "gpu": gpu, "driver": gpu_driver(str(device)),
            "cpu_count": len(affinity(0)) if affinity else os.cpu_count() or 1,
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1)}


def code_version(source: Path | None = None) -> dict[str, Any]:
    """The record's code block: version, and commit and whether files differ from it where the code runs from git.

    Args:
        source: root of the source tree; the package's own where it is None.
    """
    root = source or Path(__file__).resolve().parents[2]
    known: dict[str, Any] = {"version": __version__, "commit": None, "dirty": None}
    if not (root / ".git").exists() or shutil.which("git") is None:
        return known
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    status = _git(root, "status", "--porcelain")
    return {**known, "commit": commit, "dirty": None if status is None else bool(status)}


def _git(root: Path, *arguments: str) -> str | None:
    """Output of one git command; None, with a warning, where git refuses (no commit yet, another owner's folder)."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        logging.getLogger(__name__).warning("git %s: %s; the record says null", arguments[0], done.stderr.strip())
        return None
    return done.stdout.strip()


class PeakMemory:
    """Peak memory of a block: resident memory on the CPU, the allocator's peak on CUDA.

    Args:
        device: ``cpu`` or ``cuda:N``.
        interval: seconds between two samples of resident memory.

    Example::

        with PeakMemory("cpu") as memory:
            train()
        memory.mib
    """

    def __init__(self, device: str = "cpu", interval: float = 0.05) -> None:
        self.device = str(device)
        self.mib = 0.0
        self._interval = interval
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> PeakMemory:
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.reset_peak_memory_stats(torch.device(self.device))
            return self
        import psutil

        self._process = psutil.Process()
        self._sample()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._thread is None:
            import torch

            self.mib = torch.cuda.max_memory_allocated(torch.device(self.device)) / _MIB
            return
        self._stop.set()
        self._thread.join()
        self._sample()

    def _sample(self) -> None:
        self.mib = max(self.mib, self._process.memory_info().rss / _MIB)

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            self._sample()
