"""FreshProcess: what goes wrong over there is told here."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.checks.fresh import FreshProcess
from recbole_medmoe.checks.report import CheckFailed


def test_the_last_words_of_a_process_that_breaks_off_are_told(tmp_path: Path) -> None:
    fresh = FreshProcess(tmp_path / "fresh")
    with pytest.raises(CheckFailed, match="fresh process can not load and score it: .*CheckpointError: no run folder"):
        fresh.scores(tmp_path / "none", patients=[])
    fresh.close()


def test_closing_what_was_never_started_does_nothing(tmp_path: Path) -> None:
    FreshProcess(tmp_path / "fresh").close()
    assert not list(tmp_path.iterdir())
