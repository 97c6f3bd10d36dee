"""Counts of a data set, against those done by hand."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest

from recbole_medmoe.atomic import statistics
from recbole_medmoe.errors import DataError


def test_split(food: Path) -> None:
    assert statistics(food, "warm") == {
        "users": 2, "items": 3, "rows": {"train": 1, "valid": 1, "test": 2},
        "items_per_user": {"train": 1.0, "valid": 1.0, "test": 1.0}, "users_only_in_test": 1, "items_only_in_test": 2,
        "groups": {"cold_patient": 1, "warm_patient": 1, "cold_item": 2, "condition:gout": 1, "condition:statin": 1},
        "users_without_text": 0, "items_without_text": 1, "items_without_picture": 1}


def test_whole_data_set(food: Path) -> None:
    assert statistics(food, None)["rows"] == {"all": 4}


def test_without_side_files(food: Path) -> None:
    for name in ("food.user", "food.item", "images.csv", "text/user.jsonl", "text/item.jsonl"):
        (food / name).unlink()
    assert statistics(food, None) == {"users": 2, "items": 3, "rows": {"all": 4}, "items_per_user": {"all": 2.0}}


def test_counts_fit_json(food: Path) -> None:
    assert json.loads(json.dumps(statistics(food, "warm"))) == statistics(food, "warm")


def test_missing_part(food: Path) -> None:
    (food / "food.warm.test.inter").unlink()
    with pytest.raises(DataError, match="food.warm.test.inter: no such file"):
        statistics(food, "warm")


def test_a_label_variant_is_counted_by_its_triple(food: Path, add_variant: Callable[[str], Path]) -> None:
    (add_variant("A") / "food.warm.train.inter").write_text("user_id:token\titem_id:token\nu1\tmilk\nu2\tkiwi\n")
    counts = statistics(food, "warm", labels="A")
    assert counts["rows"] == {"train": 2, "valid": 1, "test": 2} and counts["users_only_in_test"] == 0


def test_texts_of_the_split_are_counted(food: Path) -> None:
    (food / "text" / "warm").mkdir()
    (food / "text" / "warm" / "user.jsonl").write_text('{"id": "u1", "text": "other words"}\n')
    assert statistics(food, "warm")["users_without_text"] == 1 and statistics(food, None)["users_without_text"] == 0
