"""Pictures: the catalogue's as they are, the shop photos made smaller."""
from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Callable, Sequence

from PIL import Image

from ...errors import DataError
from .foods import Food

PHOTO_PIXELS = 192
PHOTO_QUALITY = 60


def smaller(path: Path) -> bytes:
    """A JPEG of at most 192 pixels a side, without the camera's notes.

    Raises:
        DataError: the file is missing or no picture.
    """
    try:
        with Image.open(path) as picture:
            reduced = picture.convert("RGB")
            reduced.thumbnail((PHOTO_PIXELS, PHOTO_PIXELS), Image.Resampling.LANCZOS)
    except OSError as error:
        raise DataError(f"{path}: not a picture that can be read; fetch the grocery pictures anew") from error
    buffer = io.BytesIO()
    reduced.save(buffer, "JPEG", quality=PHOTO_QUALITY, optimize=True)
    return buffer.getvalue()


def read_photos(grocery: Path) -> list[tuple[int, Path]]:
    """Class number and file of every shop photo, in a fixed order.

    Raises:
        DataError: photos.csv is missing.
    """
    listed = grocery / "photos.csv"
    if not listed.is_file():
        raise DataError(f"{listed}: no such file; it lists the shop photos (file, split, class_id)")
    with listed.open(encoding="utf-8", newline="") as handle:
        return sorted((int(row["class_id"]), grocery / row["file"]) for row in csv.DictReader(handle))


def write_pictures(foods: Sequence[Food], grocery: Path, out: Path,
                   progress: Callable[[str], None]) -> list[tuple[str, str, str]]:
    """Writes images/ under ``out`` and gives the rows (item_id, file, kind) of images.csv.

    Raises:
        DataError: a picture is missing or no picture.
    """
    rows = []
    for kind in ("catalogue", "photo"):
        (out / "images" / kind).mkdir(parents=True, exist_ok=True)
    for food in foods:
        if not food.picture.is_file():
            raise DataError(f"{food.picture}: no such picture, though items.json names it")
        name = f"images/catalogue/{food.token}{food.picture.suffix.lower()}"
        (out / name).write_bytes(food.picture.read_bytes())
        rows.append((food.token, name, "catalogue"))
    tokens = {food.class_id: food.token for food in foods}
    photos = [(number, path) for number, path in read_photos(grocery) if number in tokens]
    progress(f"pictures: {len(rows)} of the catalogue, {len(photos)} shop photos to make smaller")
    counts: dict[str, int] = {}
    for number, path in photos:
        token = tokens[number]
        counts[token] = counts.get(token, 0) + 1
        name = f"images/photo/{token}.{counts[token]:02d}.jpg"
        (out / name).write_bytes(smaller(path))
        rows.append((token, name, "photo"))
    return rows
