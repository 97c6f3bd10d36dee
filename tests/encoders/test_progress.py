from __future__ import annotations

import pytest

from recbole_medmoe.encoders import progress


def test_short_work_prints_nothing_where_there_is_no_terminal(capsys: pytest.CaptureFixture) -> None:
    with progress.meter("encoding", 10, "tokens") as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def test_long_work_prints_plain_lines_with_the_rate(capsys: pytest.CaptureFixture,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 20.0, 40.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.meter("encoding", 1000, "tokens") as advance:
        advance(100)
        advance(300)
    assert capsys.readouterr().err == "encoding: 40 %, 10 tokens/s, 60 s left\n"


def test_a_bar_is_drawn_when_asked_for(capsys: pytest.CaptureFixture) -> None:
    with progress.meter("encoding", 10, "tokens", True) as advance:
        advance(10)
    assert capsys.readouterr().out == ""


def test_off_is_silent(capsys: pytest.CaptureFixture) -> None:
    with progress.meter("encoding", 10, "tokens", False) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")
