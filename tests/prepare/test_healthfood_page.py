"""docs/data/healthfood.md shows what the shipped files hold."""
from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

PAGES = Path(__file__).resolve().parents[2] / "docs" / "data"


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("figures", PAGES / "figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_the_files_as_they_are(figures):
    text = (PAGES / "healthfood.md").read_text(encoding="utf-8")
    assert f"{figures.MARKS[0]}\n\n{figures.made_part()}\n\n{figures.MARKS[1]}" in text


def test_pictures_of_the_page_are_there_and_small():
    for name in ("healthfood-items.png", "healthfood-labels.png"):
        path = PAGES / name
        with Image.open(path) as picture:
            assert picture.format == "PNG" and picture.width > 700
        assert path.stat().st_size < 250_000


def test_a_contact_sheet_is_drawn_from_the_shipped_pictures(figures, tmp_path):
    figures.draw_items(tmp_path / "items.png")
    with Image.open(tmp_path / "items.png") as picture:
        assert picture.size == (8 * 104, 3 * 118)
