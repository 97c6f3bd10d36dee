"""What NVIDIA's own tool knows of a GPU: its driver, and which share of the time it was busy."""
from __future__ import annotations

import logging
import shutil
import subprocess
import threading
from types import TracebackType

__all__ = ["GpuBusy", "gpu_driver"]
_TOOL = "nvidia-smi"


def _command(device: str, asked: str) -> list[str] | None:
    """The tool's command for one value of a device; None for the CPU, and, with a warning, without the tool."""
    if not device.startswith("cuda"):
        return None
    if shutil.which(_TOOL) is None:
        logging.getLogger(__name__).warning("%s is not there: the record says null for %s", _TOOL, asked)
        return None
    import torch

    # Its numbers and torch's may differ; the UUID does not.
    uuid = str(torch.cuda.get_device_properties(torch.device(device)).uuid)
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
    return [_TOOL, f"--query-gpu={asked}", "--format=csv,noheader,nounits", "-i", name]


def _told(command: list[str]) -> str:
    """What the tool answers; nothing where it can not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def gpu_driver(device: str) -> str | None:
    """Version of the driver; None for the CPU and where it is not known."""
    command = _command(device, "driver_version")
    return None if command is None else _told(command) or None


class GpuBusy:
    """Share of a block's time in which a GPU ran a kernel, from samples.

    Args:
        device: ``cpu`` or ``cuda:N``.
        interval: seconds between two samples; each is a short process of its own.

    Attributes:
        share: 0 to 1, after the block; None for the CPU, where the driver does not tell (under MIG), and for a block
            that ended before the first sample.
    """

    def __init__(self, device: str, interval: float = 2.0) -> None:
        self.device = device
        self.share: float | None = None
        self._interval = interval
        self._percent: list[int] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> GpuBusy:
        command = _command(self.device, "utilization.gpu")
        if command is not None:
            self._thread = threading.Thread(target=self._watch, args=(command,), name="gpu-busy", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
        if self._percent:
            self.share = sum(self._percent) / len(self._percent) / 100

    def _watch(self, command: list[str]) -> None:
        while not self._stop.wait(self._interval):
            told = _told(command)
            self._percent += [int(told)] if told.isdecimal() else []
