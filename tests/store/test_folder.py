"""Run folders are new, named by data set, model and run, and private where they must be."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.errors import RecordError
from recbole_medmoe.store import new_run_id, run_folder


def test_place(tmp_path: Path) -> None:
    assert run_folder(tmp_path / "runs", "food", "Pop", "r1") == tmp_path / "runs" / "food" / "Pop" / "r1"
    assert (tmp_path / "runs" / "food" / "Pop" / "r1").is_dir()


def test_private(tmp_path: Path) -> None:
    assert run_folder(tmp_path, "food", "Pop", "r1", private=True).stat().st_mode & 0o777 == 0o700


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    run_folder(tmp_path, "food", "Pop", "r1")
    with pytest.raises(RecordError, match="r1: is there already; nothing is overwritten"):
        run_folder(tmp_path, "food", "Pop", "r1")


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden"])
def test_names_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="cannot name a folder"):
        run_folder(tmp_path, name, "Pop", "r1")


def test_runs_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RecordError, match="runs"):
        run_folder(tmp_path / "runs", "food", "Pop", "r1")


def test_run_ids_differ() -> None:
    assert len({new_run_id() for _ in range(50)}) == 50
