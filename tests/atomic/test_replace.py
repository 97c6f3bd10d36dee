"""A folder takes the place of another: what is there after a kill or a fault at any step."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from recbole_medmoe.atomic import replace_folder, restore_folder
from recbole_medmoe.config.places import find_place
from recbole_medmoe.errors import DataError
from recbole_medmoe.paths import dataset_folder


def _folder(path: Path, words: str) -> Path:
    path.mkdir(parents=True)
    (path / "set.inter").write_text(words)
    return path


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A finished folder beside its place."""
    return _folder(tmp_path / "work" / "set", "new")


def _there(tmp_path: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in tmp_path.glob("*/set.inter")}


def test_a_first_folder(made: Path, tmp_path: Path) -> None:
    replace_folder(made, tmp_path / "set")
    assert _there(tmp_path) == {"set": "new"}


def test_the_earlier_folder_goes(made: Path, tmp_path: Path) -> None:
    _folder(tmp_path / "set", "old")
    _folder(tmp_path / ".set.before", "older")
    replace_folder(made, tmp_path / "set")
    assert _there(tmp_path) == {"set": "new"}


def test_a_link_gives_way_and_what_it_leads_to_stays(made: Path, tmp_path: Path) -> None:
    (tmp_path / "set").symlink_to(_folder(tmp_path / "elsewhere", "old"))
    replace_folder(made, tmp_path / "set")
    assert _there(tmp_path) == {"set": "new", "elsewhere": "old"}


@pytest.mark.parametrize("fault", [OSError("disk"), KeyboardInterrupt()])
def test_a_fault_between_the_two_steps_puts_the_earlier_folder_back(made: Path, tmp_path: Path, fault: BaseException,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    _folder(tmp_path / "set", "old")
    rename = os.replace

    def replace(source: Path, target: Path) -> None:
        if source == made:
            raise fault
        rename(source, target)

    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(type(fault)):
        replace_folder(made, tmp_path / "set")
    assert _there(tmp_path) == {"set": "old"}


def test_what_a_kill_left_aside_is_put_back(tmp_path: Path) -> None:
    _folder(tmp_path / ".set.before", "old")
    restore_folder(tmp_path / "set")
    assert _there(tmp_path) == {"set": "old"}


def test_a_folder_that_stands_is_left_alone(tmp_path: Path) -> None:
    _folder(tmp_path / "set", "new")
    _folder(tmp_path / ".set.before", "old")
    restore_folder(tmp_path / "set")
    assert _there(tmp_path) == {"set": "new", ".set.before": "old"}


def test_readers_tell_where_it_lies_after_a_kill(tmp_path: Path) -> None:
    _folder(tmp_path / ".set.before", "old")
    faults: list[str] = []
    find_place("set", str(tmp_path), faults)
    with pytest.raises(DataError) as fault:
        dataset_folder("set", tmp_path)
    for told in (faults[0], str(fault.value)):
        assert f"it lies in {tmp_path / '.set.before'} since a run of `prepare` was killed" in told
