from __future__ import annotations

import os
from pathlib import Path

import pytest

from recbole_medmoe.bench.search.trials import Trial, TrialStore
from recbole_medmoe.errors import MedMoEError, RecordError


def _trial(number: int) -> Trial:
    return Trial(number=number, values={"dropout": .1, "codes": ["diag"]}, status="finished", score=.5,
                 valid={"f1": .2}, curve=[(0, .4), (1, .5)], epochs=2, best_epoch=1, seconds=1.5, reason=None)


@pytest.fixture
def store(tmp_path: Path) -> TrialStore:
    made = TrialStore(tmp_path / "search")
    made.begin({"model": "MoEOnly"})
    return made


def test_trials_are_read_as_they_were_written_by_their_number(store: TrialStore) -> None:
    for number in (1, 0, 2):
        store.add(_trial(number))
    assert store.read() == [_trial(0), _trial(1), _trial(2)] and store.what() == {"model": "MoEOnly"}


def test_a_line_that_a_kill_cut_off_is_told_left_out_and_replaced(
        store: TrialStore, caplog: pytest.LogCaptureFixture) -> None:
    store.add(_trial(0))
    whole = store.path.read_bytes()
    store.path.write_bytes(whole + whole[:40])
    with caplog.at_level("INFO", logger="recbole_medmoe"):
        assert store.read() == [_trial(0)]
    assert "the last line was cut off" in caplog.text
    store.add(_trial(1))
    assert store.read() == [_trial(0), _trial(1)]


@pytest.mark.parametrize(("change", "words"), [
    ((b'"finished"', b'"fine"'), "trials.jsonl:1: no trial (status"), ((b"{", b"["), "trials.jsonl:1: no trial"),
    ((b'"number": 1', b'"number": 0'), "trials.jsonl:2: trial 0 stands there twice"),
    ((b'"score": 0.5', b'"score": "0.5"'), "no trial (score")])
def test_a_line_that_was_edited_is_told_with_its_number(
        store: TrialStore, change: tuple[bytes, bytes], words: str) -> None:
    store.add(_trial(0))
    store.add(_trial(1))
    store.path.write_bytes(store.path.read_bytes().replace(*change))
    with pytest.raises(RecordError) as caught:
        store.read()
    assert words in str(caught.value)


def test_a_trial_that_cannot_be_written_leaves_the_earlier_ones(
        store: TrialStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add(_trial(0))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MedMoEError, match="trial 1 cannot be written .No space left"):
        store.add(_trial(1))
    monkeypatch.undo()
    assert store.read() == [_trial(0)] and store.path.read_bytes().endswith(b"\n")


def test_two_processes_do_not_search_at_one_place(store: TrialStore) -> None:
    with store.locked():
        with pytest.raises(MedMoEError, match="another process is searching there"):
            with TrialStore(store.folder).locked():
                pass
    with store.locked():   # free again
        pass


def test_a_damaged_description_is_told(store: TrialStore) -> None:
    (store.folder / "search.json").write_text("{")
    with pytest.raises(RecordError, match="search.json: not JSON"):
        store.what()
