"""What a YAML and a model do not share is named."""
from __future__ import annotations

import re
from typing import Callable

import pytest

CAUGHT = [
    ("Deaf", r"1 of 6 keys are never read: width"),
    ("Unlisted", r"1 keys only in the YAML: colour"),
    ("Curious", r"reads 1 keys that have no value anywhere: depht"),
]


@pytest.mark.parametrize("model, numbers", CAUGHT, ids=[model for model, _ in CAUGHT])
def test_a_broken_model_is_named_with_numbers(model: str, numbers: str, caught: Callable[[str], str]) -> None:
    assert re.search(numbers, caught(model))
