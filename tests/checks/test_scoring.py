"""Scores that depend on more than patient and item are caught."""
from __future__ import annotations

import re
from typing import Callable

import pytest

CAUGHT = [
    ("TwoFaced", r"differ by 0\.0\d+ of the largest score, at most 1e-05 is allowed"),
    ("Herd", r"alone and beside others: differ by 0?\.?\d"),
    ("Ordered", r"differ by \d.* of the largest score"),
    ("Dicey", r"differ by 0\.\d+, in \d+ of 120 scores"),
    ("DiceyOnce", r"differ by 0\.\d+, in \d+ of 120 scores"),
    ("HardwiredOnce", r"train\(\) with dropout 0, modality_dropout 0: differ by \d"),
    ("Hardwired", r"train\(\) with dropout 0, modality_dropout 0: differ by \d"),
    ("Coarse", r"bf16 levels or swaps \d+ of \d+ pairs of items"),
]


@pytest.mark.parametrize("model, numbers", CAUGHT, ids=[model for model, _ in CAUGHT])
def test_a_broken_model_is_named_with_numbers(model: str, numbers: str, caught: Callable[[str], str]) -> None:
    assert re.search(numbers, caught(model))
