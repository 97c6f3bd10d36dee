from __future__ import annotations

import io

import pytest
from PIL import Image

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.healthfood.foods import read_foods
from recbole_medmoe.prepare.healthfood.pictures import PHOTO_PIXELS, smaller, write_pictures


def test_photos_are_made_smaller_and_keep_their_shape(raw):
    with Image.open(io.BytesIO(smaller(raw.grocery / "photos" / "train_00.jpg"))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (PHOTO_PIXELS, PHOTO_PIXELS * 2 // 3))


def test_catalogue_pictures_are_kept_as_they_are(raw, tmp_path):
    foods = read_foods(raw.grocery, raw.usda)
    rows = write_pictures(foods, raw.grocery, tmp_path / "out", lambda line: None)
    assert rows[0] == ("golden-delicious", "images/catalogue/golden-delicious.jpg", "catalogue")
    assert (tmp_path / "out" / rows[0][1]).read_bytes() == foods[0].picture.read_bytes()


def test_photos_are_listed_by_item(raw, tmp_path):
    rows = write_pictures(read_foods(raw.grocery, raw.usda), raw.grocery, tmp_path / "out", lambda line: None)
    assert [row for row in rows if row[2] == "photo"] == [
        ("golden-delicious", "images/photo/golden-delicious.01.jpg", "photo"),
        ("banana", "images/photo/banana.01.jpg", "photo")]


def test_a_picture_that_is_none_is_named(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="x.jpg: not a picture"):
        smaller(tmp_path / "x.jpg")
