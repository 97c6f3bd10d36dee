"""A model that loses what it learned when it is saved is caught."""
from __future__ import annotations

import re
from typing import Callable

import pytest

CAUGHT = [
    ("Forgetful", r"in a fresh process: differ by \d"),
]


@pytest.mark.parametrize("model, numbers", CAUGHT, ids=[model for model, _ in CAUGHT])
def test_a_broken_model_is_named_with_numbers(model: str, numbers: str, caught: Callable[[str], str]) -> None:
    assert re.search(numbers, caught(model))
