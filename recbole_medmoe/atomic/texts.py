"""Texts and pictures of a data set folder: ``text/<side>.jsonl`` and ``images.csv`` with ``images/``."""
from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Mapping, NamedTuple

from ..errors import DataError
from ..files import atomic_write
from .faults import AtomicError, Fault

__all__ = ["ImageRow", "image_rows", "read_images", "read_texts", "scan_texts", "write_texts"]
TEXT_EXAMPLE = '{"id": "i1", "text": "A sweet yellow apple."}'
IMAGE_EXAMPLE = "i1,images/i1.jpg,catalogue"
IMAGE_HEADER = ["item_id", "file", "kind"]
KINDS = ("catalogue", "photo")


class ImageRow(NamedTuple):
    """One row of images.csv: its line, the item, the file as written, and ``catalogue`` or ``photo``."""

    line: int
    item: str
    file: str
    kind: str


def scan_texts(path: Path, name: str) -> tuple[dict[str, str], dict[str, int], list[Fault]]:
    """Texts by id, the line of each, and every fault; ``name`` is the file as messages name it."""
    texts: dict[str, str] = {}
    lines: dict[str, int] = {}
    faults: list[Fault] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        key, text, rule, column = _text_row(line)
        if not rule and key in texts:
            rule, column = f"the id comes twice, first in line {lines[key]}", "id"
        if rule:
            faults.append(Fault(name, rule, number, column, TEXT_EXAMPLE))
        else:
            texts[key], lines[key] = text, number
    return texts, lines, faults


def _text_row(line: bytes) -> tuple[str, str, str, str | None]:
    """Id, text, and the rule and column at fault."""
    try:
        row = json.loads(line.decode("utf-8"))
    except ValueError:   # not UTF-8 or not JSON
        return "", "", "not JSON: each line is one JSON object", None
    if not isinstance(row, dict):
        return "", "", "not a JSON object", None
    for key in ("id", "text"):
        if key not in row:
            return "", "", f"text without {key}: the key '{key}' is missing", key
        if not isinstance(row[key], str):
            return "", "", f"wrong type: '{key}' must be text in quotation marks", key
        if not row[key].strip():
            return "", "", f"'{key}' is empty; leave the line out where there is no text", key
    return row["id"], row["text"], "", None


def read_texts(path: str | Path) -> dict[str, str]:
    """Texts of one side by token, in file order.

    Raises:
        DataError: no such file, or all its faults with line and key.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    texts, _, faults = scan_texts(path, path.name)
    if faults:
        raise AtomicError(path.parent, faults)
    return texts


def write_texts(texts: Mapping[str, str], path: str | Path) -> None:
    """Writes one JSON object a line, in the mapping's order; makes the folder.

    Raises:
        DataError: an empty id or text.
    """
    path = Path(path)
    rows = []
    for number, (key, text) in enumerate(texts.items()):
        if not key.strip() or not text.strip():
            raise DataError(f"{path}: cannot be written: row {number} has an empty id or text; leave it out")
        rows.append(json.dumps({"id": key, "text": text}, ensure_ascii=False) + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, "".join(rows).encode())


def image_rows(folder: Path) -> tuple[list[ImageRow], list[Fault]]:
    """Rows of images.csv that have three cells and a known kind, and a fault for each other."""
    example = IMAGE_EXAMPLE
    rows: list[ImageRow] = []
    faults: list[Fault] = []
    try:
        text = (folder / "images.csv").read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return [], [Fault("images.csv", "the file is not UTF-8", example=example)]
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    if header != IMAGE_HEADER:
        return [], [Fault("images.csv", f"bad header: it must be {','.join(IMAGE_HEADER)}", 1, example=example)]
    for cells in reader:
        if len(cells) != len(IMAGE_HEADER):
            rule = f"bad separator: {len(cells)} cells where there must be 3, separated by commas"
            faults.append(Fault("images.csv", rule, reader.line_num, example=example))
        elif cells[2] not in KINDS:
            rule = f"unknown kind; kinds are {', '.join(KINDS)}"
            faults.append(Fault("images.csv", rule, reader.line_num, "kind", example))
        else:
            rows.append(ImageRow(reader.line_num, *cells))
    return rows, faults


def read_images(folder: str | Path, kind: str = "catalogue") -> dict[str, Path]:
    """Picture file of each item that has one of this kind; of several photos the first that images.csv lists.

    Raises:
        DataError: an unknown kind, or all faults of images.csv. A data set without images.csv has no pictures.
    """
    folder = Path(folder)
    if kind not in KINDS:
        raise DataError(f"unknown kind of pictures '{kind}'; kinds are {', '.join(KINDS)}")
    if not (folder / "images.csv").is_file():
        return {}
    rows, faults = image_rows(folder)
    if faults:
        raise AtomicError(folder, faults)
    found: dict[str, Path] = {}
    for row in rows:
        if row.kind == kind:
            found.setdefault(row.item, folder / row.file)
    return found
