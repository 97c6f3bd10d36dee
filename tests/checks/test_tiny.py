"""The tiny data set and the tiny language model are the same bytes each time they are made."""
from __future__ import annotations

from pathlib import Path

import torch

from recbole_medmoe.checks.tiny_food import make_food
from recbole_medmoe.checks.tiny_llama import make_llama


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_data_set_is_the_same_each_time(tmp_path: Path) -> None:
    first, second = (_files(make_food(tmp_path / place / "tinyfood")) for place in ("a", "b"))
    assert first == second


def test_the_language_model_is_the_same_each_time_and_leaves_the_random_numbers_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (_files(make_llama(tmp_path / place)) for place in ("a", "b"))
    assert first == second and torch.equal(before, torch.get_rng_state())
