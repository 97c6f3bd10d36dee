"""Models that learn what they should not, or nothing, are caught."""
from __future__ import annotations

import re
from typing import Callable

import pytest

CAUGHT = [
    ("Detached", r"3 of 6 trainable parameters get no gradient in 8 epochs: .*item_map.weight"),
    ("Thawed", r"1 of 1 frozen parameters are trained: frozen \(by 8\)"),
    ("Lost", r"TrainingError: .*not finite"),
    ("Lazy", r"own training positives is 0\.\d{3} after 120 epochs, below 0\.95"),
    ("Wild", r"two runs of one seed differ in \d+ of \d+ tensors: .*user_map.weight \(by \d"),
    ("Stubborn", r"the same under seeds 1 and 2: the seed has no effect"),
]


@pytest.mark.parametrize("model, numbers", CAUGHT, ids=[model for model, _ in CAUGHT])
def test_a_broken_model_is_named_with_numbers(model: str, numbers: str, caught: Callable[[str], str]) -> None:
    assert re.search(numbers, caught(model))
