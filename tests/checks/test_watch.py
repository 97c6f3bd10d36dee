"""watching: writes are noted wherever they land, connections are refused."""
from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest
import torch

from recbole_medmoe.checks.watch import watching


def test_writing_in_an_allowed_folder_is_nobodys_business(tmp_path: Path) -> None:
    with watching(tmp_path / "scratch", [tmp_path / "run"]) as seen:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "a.txt").write_text("a")
    assert seen.writes == []


def test_a_file_elsewhere_is_noted_by_its_path(tmp_path: Path) -> None:
    with watching(tmp_path / "scratch", []) as seen:
        (tmp_path / "a.txt").write_text("a")
    assert seen.writes == [str(tmp_path / "a.txt")]


def test_reading_is_no_writing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with watching(tmp_path / "scratch", []) as seen:
        assert (tmp_path / "a.txt").read_text() == "a"
        with open(os.devnull, "w") as stream:
            stream.write("nothing")
    assert seen.writes == []


def test_a_new_folder_a_new_name_and_a_removal_are_noted(tmp_path: Path) -> None:
    for name in ("old", "gone"):
        (tmp_path / name).touch()
    with watching(tmp_path / "scratch", []) as seen:
        (tmp_path / "folder").mkdir()
        (tmp_path / "old").rename(tmp_path / "new")
        (tmp_path / "gone").unlink()
    assert seen.writes == [str(tmp_path / name) for name in ("folder", "new", "gone")]


def test_a_library_that_opens_its_own_files_is_seen_where_they_land(tmp_path: Path) -> None:
    with watching(tmp_path / "scratch", []) as seen:
        torch.save(torch.zeros(2), "best.pth")
    assert seen.writes == [str(tmp_path / "scratch" / "cwd" / "best.pth")]


def test_connections_are_refused_and_noted(tmp_path: Path) -> None:
    with watching(tmp_path / "scratch", []) as seen:
        with pytest.raises(ConnectionRefusedError, match="no network while a recommender is checked"):
            socket.create_connection(("192.0.2.1", 80), timeout=0.1)
    assert seen.calls == ["getaddrinfo 192.0.2.1"]


def test_working_and_temporary_folder_are_back_after_an_error(tmp_path: Path) -> None:
    before = os.getcwd(), tempfile.gettempdir()
    with pytest.raises(ValueError), watching(tmp_path / "scratch", []):
        assert os.getcwd() != before[0] and tempfile.gettempdir() != before[1]
        raise ValueError
    assert (os.getcwd(), tempfile.gettempdir()) == before


def test_nothing_is_noted_before_and_after(tmp_path: Path) -> None:
    with watching(tmp_path / "scratch", []) as seen:
        pass
    (tmp_path / "a.txt").write_text("a")
    assert seen.writes == []
