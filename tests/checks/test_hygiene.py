"""Models that touch what is not theirs are caught."""
from __future__ import annotations

import re
from typing import Callable

import pytest

CAUGHT = [
    ("Rude", r"training batch: item_id: \d+ of \d+ values changed"),
    ("Pushy", r"configuration: learning_rate was 0\.01 and is 5"),
    ("Careless", r"feature table item_text: \d+ of 104 values changed"),
    ("Blinding", r"feature table presence of item_text: \d+ of 13 values changed"),
    ("Chatty", r"2 calls over the network, first getaddrinfo 192\.0\.2\.1"),
    ("Messy", r"1 files written outside the run folder: .*notes\.txt"),
    ("Hoarder", r"1 files written outside the run folder: .*best\.pth"),
]


@pytest.mark.parametrize("model, numbers", CAUGHT, ids=[model for model, _ in CAUGHT])
def test_a_broken_model_is_named_with_numbers(model: str, numbers: str, caught: Callable[[str], str]) -> None:
    assert re.search(numbers, caught(model))
