"""Blurred copies of pictures."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recbole_medmoe.encoders import blurred_pictures
from recbole_medmoe.errors import DataError


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of 100 x 60 points, black on the left and white on the right."""
    points = np.zeros((60, 100, 3), dtype=np.uint8)
    points[:, 50:] = 255
    Image.fromarray(points).save(tmp_path / "edge.png")
    return tmp_path / "edge.png"


def test_the_radius_is_a_share_of_the_width(picture: Path, tmp_path: Path) -> None:
    sizes = {}
    for radius in (0.01, 0.05):
        copy = blurred_pictures({"edge": picture}, tmp_path / "blurred", radius)["edge"]
        row = np.asarray(Image.open(copy).convert("L"))[30]
        sizes[radius] = int(((row > 5) & (row < 250)).sum())
    assert 1 < sizes[0.01] < 8 < sizes[0.05] < 30  # an edge is blurred over about four radii of 1 and 5 points


def test_the_size_stays(picture: Path, tmp_path: Path) -> None:
    copy = blurred_pictures({"edge": picture}, tmp_path / "blurred")["edge"]
    assert Image.open(copy).size == (100, 60)


def test_a_copy_is_written_once(picture: Path, tmp_path: Path) -> None:
    copy = blurred_pictures({"edge": picture}, tmp_path / "blurred")["edge"]
    made = copy.stat().st_mtime_ns
    assert blurred_pictures({"other": picture}, tmp_path / "blurred")["other"] == copy
    assert copy.stat().st_mtime_ns == made and len(list((tmp_path / "blurred").iterdir())) == 1


def test_a_changed_picture_gets_a_copy_of_its_own(picture: Path, tmp_path: Path) -> None:
    copy = blurred_pictures({"edge": picture}, tmp_path / "blurred")["edge"]
    Image.new("RGB", (10, 10), "red").save(picture)
    assert blurred_pictures({"edge": picture}, tmp_path / "blurred")["edge"] != copy


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="bad.png"):
        blurred_pictures({"bad": tmp_path / "bad.png"}, tmp_path / "blurred")
    assert not list((tmp_path / "blurred").iterdir())
