"""Models that break at the smallest sizes are caught."""
from __future__ import annotations

import re
from typing import Callable

import pytest

CAUGHT = [
    ("Normed", r"ValueError: Expected more than 1 value per channel"),
    ("Spread", r"(not finite|not numbers|nan)"),
    ("Bossy", r"K of 1000 was not cut to the 12 items"),
    ("Rash", r"a patient of whom nothing is known: 12 of 12 scores are not finite"),
]


@pytest.mark.parametrize("model, numbers", CAUGHT, ids=[model for model, _ in CAUGHT])
def test_a_broken_model_is_named_with_numbers(model: str, numbers: str, caught: Callable[[str], str]) -> None:
    assert re.search(numbers, caught(model))
