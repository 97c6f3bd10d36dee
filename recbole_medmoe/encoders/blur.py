"""Blurred copies of pictures: what a model is shown at test to see how much it leans on sharp ones."""
from __future__ import annotations

import io
from pathlib import Path
from typing import Mapping

from PIL import ImageFilter

from ..files import atomic_write
from .bank import content_hash
from .image import open_picture

BLUR_RADIUS = 0.02  # standard deviation as a share of the picture's width; our choice


def blurred_pictures(paths: Mapping[str, Path], folder: Path, radius: float = BLUR_RADIUS) -> dict[str, Path]:
    """Blurs each picture by Pillow's ``GaussianBlur`` and writes it once; a copy that is there already is used.

    Args:
        paths: token to picture file.
        folder: where the copies go, named by the picture's content and the radius.
        radius: as a share of the picture's width.

    Returns:
        Token to the blurred copy.

    Raises:
        DataError: a file that is no picture.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = {}
    for token, path in paths.items():
        found[token] = folder / f"{content_hash(path)[:32]}-{radius:g}.png"
        if not found[token].is_file():
            picture = open_picture(path)
            stream = io.BytesIO()
            picture.filter(ImageFilter.GaussianBlur(radius * picture.width)).save(stream, "PNG")
            atomic_write(found[token], stream.getvalue())
    return found
