"""A torch profiler trace of the first steps of a training."""
from __future__ import annotations

import os
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

STEPS = 20
"""Batches that are traced; more would make files that no viewer opens."""
NAME = "trace.json.gz"


class Trace:
    """Records from `start` until `STEPS` batches are done, or until `stop`.

    Args:
        device: of the model; on CUDA its kernels are recorded too.
    """

    def __init__(self, device: torch.device) -> None:
        kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
        self._profile = profile(activities=kinds)
        self._steps, self._state = 0, "new"

    def start(self) -> None:
        """Begins, once."""
        if self._state == "new":
            self._state = "on"
            self._profile.start()

    def step(self) -> None:
        """Notes the end of a batch."""
        self._steps += 1
        if self._steps == STEPS:
            self.stop()

    def stop(self) -> None:
        """Ends where it has not ended."""
        if self._state == "on":
            self._state = "off"
            self._profile.stop()

    @property
    def has_ended(self) -> bool:
        """Whether there are batches to save."""
        return self._state == "off"

    def save(self, folder: Path) -> Path:
        """Writes ``trace.json.gz``, which chrome://tracing and https://ui.perfetto.dev open."""
        path, made = folder / NAME, folder / f".{NAME}.tmp.gz"
        self._profile.export_chrome_trace(str(made))
        os.replace(made, path)
        return path
