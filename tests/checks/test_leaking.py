"""The check of what a visit's scores follow."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from recbole_medmoe.checks.case import Case
from recbole_medmoe.checks.leaking import no_medication_leak
from recbole_medmoe.checks.report import NotApplicable


def test_a_model_that_takes_a_visits_own_medications_is_caught(caught: Callable[[str], str]) -> None:
    assert "with 0 or fewer earlier ones change with medications that are their own" in caught("Peeking")


def test_a_model_that_repeats_earlier_sets_passes(tmp_path: Path) -> None:
    assert no_medication_leak(Case("RepeatLast", tmp_path)).endswith("scored alike under other medications")


def test_users_that_are_no_visits_have_nothing_to_leak(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="its users are no visits"):
        no_medication_leak(Case("Pop", tmp_path))
