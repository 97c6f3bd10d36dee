"""Texts and pictures by token."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.atomic import read_images, read_texts, write_texts
from recbole_medmoe.errors import DataError


def test_texts_round_trip(tmp_path: Path) -> None:
    texts = {"i1": 'Crème "fraîche"\nof cows', "i0": "Milk"}
    write_texts(texts, tmp_path / "text" / "item.jsonl")
    assert list(read_texts(tmp_path / "text" / "item.jsonl").items()) == list(texts.items())


def test_one_line_a_text(tmp_path: Path) -> None:
    write_texts({"i1": "a\u2028b\nc"}, tmp_path / "item.jsonl")
    assert read_texts(tmp_path / "item.jsonl") == {"i1": "a\u2028b\nc"}


def test_empty_text_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1 has an empty id or text; leave it out"):
        write_texts({"i1": "a", "i2": ""}, tmp_path / "item.jsonl")


def test_missing_texts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="item.jsonl: no such file"):
        read_texts(tmp_path / "item.jsonl")


def test_catalogue_pictures(food: Path) -> None:
    assert read_images(food) == {"apple": food / "images/apple.png", "kiwi": food / "images/kiwi.png"}


def test_photos(food: Path) -> None:
    assert read_images(food, "photo") == {"apple": food / "images/shop.png"}


def test_data_set_without_pictures(tmp_path: Path) -> None:
    assert read_images(tmp_path) == {}


def test_unknown_kind(food: Path) -> None:
    with pytest.raises(DataError, match="unknown kind of pictures 'photos'; kinds are catalogue, photo"):
        read_images(food, "photos")
