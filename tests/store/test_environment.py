"""Where a run was made."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from recbole_medmoe import __version__
from recbole_medmoe.store import PeakMemory, code_version, environment


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_environment_names_versions_and_machine() -> None:
    found = environment("cpu")
    assert found["packages"]["recbole"] == "1.2.1" and found["cpu_count"] >= 1 and found["gpu"] is None


def test_no_git_tree(tmp_path: Path) -> None:
    assert code_version(tmp_path) == {"version": __version__, "commit": None, "dirty": None}


def test_commit_and_changes(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    clean = code_version(tmp_path)
    (tmp_path / "new").write_text("")
    assert clean == {"version": __version__, "commit": _git(tmp_path, "rev-parse", "HEAD"), "dirty": False}
    assert code_version(tmp_path)["dirty"] is True


def test_tree_without_a_commit_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _git(tmp_path, "init", "-q")
    assert code_version(tmp_path)["commit"] is None and "the record says null" in caplog.text


def test_git_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", "")
    assert code_version(tmp_path)["commit"] is None


def test_peak_memory_sees_what_was_freed() -> None:
    with PeakMemory(interval=0.001) as idle:
        pass
    with PeakMemory(interval=0.001) as memory:
        block = bytearray(b"x") * (200 * 2**20)
        memory._stop.wait(0.05)
        del block
    assert memory.mib > idle.mib + 150
