"""A script stands for NVIDIA's tool."""
from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from recbole_medmoe.store import GpuBusy, gpu_driver


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its log: one line of arguments per call. It says 100 and 50 in turn, and once that it does not know."""
    path = tmp_path / "nvidia-smi"
    path.write_text('#!/bin/sh\necho "$@" >> asked\ncase "$1" in\n*driver*) echo 580.95.05;;\n'
                    '*) case $(wc -l < asked) in 1) echo "[N/A]";; *[02468]) echo 100;; *) echo 50;; esac;;\nesac\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="12-ab"))
    return tmp_path / "asked"


def test_busy_is_the_mean_of_the_samples(tool: Path) -> None:
    with GpuBusy("cuda:1", interval=.01) as busy:
        ends = time.monotonic() + 60
        while len(busy._percent) < 3:
            assert time.monotonic() < ends
            time.sleep(.01)
    assert busy.share == pytest.approx(sum(busy._percent) / len(busy._percent) / 100)
    assert set(busy._percent) == {50, 100}
    assert "--query-gpu=utilization.gpu --format=csv,noheader,nounits -i GPU-12-ab" in tool.read_text()


def test_the_driver_is_that_of_the_device(tool: Path) -> None:
    assert gpu_driver("cuda:0") == "580.95.05" and "-i GPU-12-ab" in tool.read_text()


def test_without_the_tool_nothing_is_known_and_that_is_told(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("PATH", "")
    with GpuBusy("cuda:0") as busy:
        pass
    assert busy.share is None and gpu_driver("cuda:0") is None and "nvidia-smi is not there" in caplog.text


def test_a_cpu_has_neither() -> None:
    with GpuBusy("cpu") as busy:
        pass
    assert busy.share is None and gpu_driver("cpu") is None
