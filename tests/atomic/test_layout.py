"""Paths of triples, label variants and texts inside a data set folder."""
from __future__ import annotations

from pathlib import Path

from recbole_medmoe.atomic import inter_path, label_variants, text_path


def test_triple_of_the_own_labels(food: Path) -> None:
    assert inter_path(food, "warm", "test") == food / "food.warm.test.inter"


def test_triple_of_a_variant(food: Path) -> None:
    assert inter_path(food, "warm", "test", "D01") == food / "labels" / "D01" / "food.warm.test.inter"


def test_texts_of_a_split_without_its_own(food: Path) -> None:
    assert text_path(food, "user", "warm") == text_path(food, "user") == food / "text" / "user.jsonl"


def test_texts_of_a_split_with_its_own(food: Path) -> None:
    (food / "text" / "warm").mkdir()
    (food / "text" / "warm" / "user.jsonl").write_text("")
    assert text_path(food, "user", "warm") == food / "text" / "warm" / "user.jsonl"
    assert text_path(food, "item", "warm") == food / "text" / "item.jsonl"


def test_variants_are_the_folders_with_a_triple(food: Path, add_variant) -> None:
    assert label_variants(food) == []
    add_variant("D02")
    add_variant("A")
    (food / "labels" / "empty").mkdir()
    assert label_variants(food) == ["A", "D02"]


def test_a_folder_may_be_named_from_inside(food: Path, add_variant, monkeypatch) -> None:
    add_variant("A")
    monkeypatch.chdir(food)
    assert label_variants(".") == ["A"] and inter_path(".", "warm", "test") == food / "food.warm.test.inter"
