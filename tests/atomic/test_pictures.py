"""A picture is decoded whole."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from recbole_medmoe.atomic.pictures import check_images


def test_truncated_picture_is_a_fault(food: Path) -> None:
    path = food / "images" / "apple.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert [fault.line for fault in check_images(food, None, set())] == [2]


def test_trusted_picture_is_not_opened(food: Path) -> None:
    (food / "images" / "apple.png").write_text("no picture")
    assert check_images(food, None, {"images/apple.png"}) == []
