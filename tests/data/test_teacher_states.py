"""The file of a teacher's states: what it holds, and what is refused."""
from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.data.teacher_states import StatesOrigin, TeacherStates
from recbole_medmoe.errors import CheckpointError

Maker = Callable[..., Any]
ORIGIN = StatesOrigin("LEADERTeacher", "run1", "a" * 64, "patient", 1.0, 0, "b" * 64, "c" * 64, "d" * 64)


@pytest.fixture
def states() -> TeacherStates:
    return TeacherStates(["v3", "v1"], torch.tensor([[1.0, 2.0], [-3.0, 0.5]], dtype=torch.bfloat16), ORIGIN)


def test_what_is_written_is_read_again(states: TeacherStates, tmp_path: Path) -> None:
    states.write(tmp_path / "s.safetensors")
    found = TeacherStates.read(tmp_path / "s.safetensors")
    assert found.tokens == states.tokens and found.origin == ORIGIN
    assert found.matrix.dtype == torch.bfloat16 and torch.equal(found.matrix, states.matrix)
    assert [path.name for path in tmp_path.iterdir()] == ["s.safetensors"]


def test_states_follow_the_order_of_the_visits(states: TeacherStates) -> None:
    matrix, present = states.align(["[PAD]", "v1", "v2", "v3"])
    assert matrix.tolist() == [[0, 0], [-3, .5], [0, 0], [1, 2]] and present.tolist() == [False, True, False, True]


@pytest.mark.parametrize("name, called", [("data_sha256", "other data"), ("teacher_sha256", "other teacher"),
                                          ("prompt_sha256", "other prompts"), ("backbone_sha256", "other backbone"),
                                          ("split", "other split"), ("train_share", "other share")])
def test_states_of_anything_else_are_refused(states: TeacherStates, name: str, called: str) -> None:
    right = {key: getattr(ORIGIN, key) for key in ("data_sha256", "teacher_sha256", "prompt_sha256", "split")}
    states.check(Path("s"), **right)
    with pytest.raises(CheckpointError, match=called):
        states.check(Path("s"), **right | {name: 0.5 if name == "train_share" else "e" * 64})


def test_a_damaged_or_foreign_file_is_refused(states: TeacherStates, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "s.safetensors"
    states.write(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="can not be read"):
        TeacherStates.read(path)
    save_file({"states": torch.zeros(1, 1)}, path)
    with pytest.raises(CheckpointError, match="no teacher states"):
        TeacherStates.read(path)


def test_states_that_are_not_finite_are_not_written(states: TeacherStates, tmp_path: Path) -> None:
    states.matrix[0, 0] = torch.inf
    with pytest.raises(CheckpointError, match="diverged"):
        states.write(tmp_path / "s.safetensors")
    assert not list(tmp_path.iterdir())


def test_of_credentialed_data_only_the_owner_may_read_them(states: TeacherStates, tmp_path: Path) -> None:
    origin = StatesOrigin(**{**vars(ORIGIN), "derived_from_credentialed": True})
    TeacherStates(states.tokens, states.matrix, origin).write(tmp_path / "s.safetensors")
    assert (tmp_path / "s.safetensors").stat().st_mode & 0o777 == 0o600


def test_training_visits_without_a_state_are_told(visit_data: Maker, caplog: pytest.LogCaptureFixture) -> None:
    dataset = visit_data("LEADERStudent")[1]._dataset
    assert dataset.teacher_states is None
    seen = [dataset.user_tokens[place] for place in dataset.train_users.nonzero().squeeze(-1).tolist()]
    with caplog.at_level(logging.WARNING):
        dataset.teach(TeacherStates(seen, torch.zeros(len(seen), 2, dtype=torch.bfloat16), ORIGIN))
        assert not caplog.records
        dataset.teach(TeacherStates(seen[3:], torch.zeros(len(seen) - 3, 2, dtype=torch.bfloat16), ORIGIN))
    assert f"3 of {len(seen)} training visits have no teacher state" in caplog.text
    assert int(dataset.teacher_states[1].sum()) == len(seen) - 3
