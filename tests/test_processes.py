from __future__ import annotations

from typing import Callable

import numpy as np
import pytest

from recbole_medmoe import processes
from recbole_medmoe.cli import main


Of = Callable[[int, int], None]


@pytest.fixture
def of(monkeypatch: pytest.MonkeyPatch) -> Of:
    """``of(1, 3)``: as the second of three processes."""

    def be(rank: int, count: int) -> None:
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", str(count))

    return be


def _parts(of: Of, owners: list[int], **how: bool) -> list[tuple[list[int], float]]:
    found = []
    for rank in range(3):
        of(rank, 3)
        rows, weight = processes.rows_of(np.array(owners), **how)
        found.append((list(range(len(owners)))[rows], weight))
    return found


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 12])
def test_weighted_means_of_the_parts_make_the_mean_of_all_rows(of: Of, rows: int) -> None:
    losses = np.random.default_rng(0).normal(size=rows)
    parts = _parts(of, [5] * rows)
    assert np.mean([weight * losses[own].mean() for own, weight in parts]) == pytest.approx(losses.mean())
    assert sorted(row for own, weight in parts if weight for row in own) == list(range(rows))   # each once


def test_rows_of_one_user_are_not_parted(of: Of) -> None:
    parts = _parts(of, [7, 7, 7, 7, 2, 9, 9], whole=True)
    assert parts == [([0, 1, 2, 3], pytest.approx(12 / 7)), ([4], pytest.approx(3 / 7)), ([5, 6], pytest.approx(6 / 7))]


def test_a_mean_over_users_is_weighed_by_users(of: Of) -> None:
    assert [weight for _, weight in _parts(of, [7, 7, 7, 7, 2, 9], whole=True, per_owner=True)] == [1, 1, 1]
    assert [weight for _, weight in _parts(of, [7, 7, 2], whole=True, per_owner=True)] == [0, 1.5, 1.5]


def test_pieces_are_dealt_out_in_turn(of: Of) -> None:
    mine = []
    for rank in range(3):
        of(rank, 3)
        mine.append([number for number in range(7) if processes.is_mine(number)])
    assert mine == [[0, 3, 6], [1, 4], [2, 5]]


def test_one_process_is_alone_with_all_of_it() -> None:
    rows = np.arange(6).reshape(3, 2)
    assert processes.count() == 1 and processes.is_main() and processes.gather_rows(rows) is rows
    assert processes.total(2.5) == 2.5 and processes.broadcast("said") == "said"


@pytest.mark.parametrize("words", [["bench", "demo"], [], ["list"]])
def test_other_commands_than_a_run_are_refused(of: Of, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    of(0, 2)
    assert main(words) == 2
    assert "torchrun is for one run" in capsys.readouterr().err


def test_only_the_first_process_speaks(of: Of, capsys: pytest.CaptureFixture[str]) -> None:
    of(1, 2)
    assert main(["--model", "Popp", "--dataset", "ml-100k"]) == 2
    told = capsys.readouterr()
    assert told.out == told.err == ""


def test_a_gpu_by_number_is_refused_where_each_process_has_its_own(of: Of, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from recbole_medmoe.config import MedConfig
    from recbole_medmoe.errors import ConfigError

    of(1, 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="names one GPU for 2 processes; use device: auto"):
        MedConfig("Pop", "ml-100k", overrides={"device": "cuda:0"})
