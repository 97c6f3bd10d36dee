"""A file is whole or not there, whatever interrupts the writing."""
from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_medmoe.errors import MedMoEError
from recbole_medmoe.files import atomic_write, file_sha256

_KILLED = """
import os, signal, sys
from recbole_medmoe.files import atomic_write
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
atomic_write(sys.argv[1], b"new")
"""


def _full(*arguments: object) -> None:
    raise OSError(28, "No space left on device")


def test_writes_and_replaces(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        atomic_write(tmp_path / "x", content)
    assert (tmp_path / "x").read_bytes() == b"two" and os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_full_disk_leaves_the_earlier_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            step: str) -> None:
    atomic_write(tmp_path / "x", b"old")
    monkeypatch.setattr(os, step, _full)
    told = "x: cannot be written .No space left on device.; free space or choose another folder. An earlier file is un"
    with pytest.raises(MedMoEError, match=told):
        atomic_write(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old" and os.listdir(tmp_path) == ["x"]


def test_kill_leaves_the_earlier_file(tmp_path: Path) -> None:
    atomic_write(tmp_path / "x", b"old")
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "x")], check=False,
                          cwd=Path(__file__).resolve().parents[1])
    assert done.returncode == -9 and (tmp_path / "x").read_bytes() == b"old"


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MedMoEError, match="none/x: cannot be written"):
        atomic_write(tmp_path / "none" / "x", b"")


def test_permissions(tmp_path: Path) -> None:
    atomic_write(tmp_path / "open", b"")
    (tmp_path / "plain").write_bytes(b"")
    atomic_write(tmp_path / "private", b"", private=True)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("open", "plain", "private")]
    assert modes[0] == modes[1] and modes[2] == 0o600


def test_hash(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
