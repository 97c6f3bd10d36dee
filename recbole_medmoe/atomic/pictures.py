"""Rules of images.csv and candidates: every file a picture, every item known, nothing twice."""
from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Collection, Iterable

from .faults import Fault, fault_at
from .texts import IMAGE_EXAMPLE, ImageRow, image_rows

__all__ = ["check_candidates", "check_images"]
CANDIDATE_HEADER = ["phase", "item_id"]
CANDIDATE_EXAMPLE = "test,i1"
PHASES = ("valid", "test")


def check_images(folder: Path, items: Collection[str] | None, trusted: Collection[str]) -> list[Fault]:
    """Faults of images.csv and of the files that it lists.

    Args:
        items: known item tokens; None where nothing lists them.
        trusted: files whose hash is the manifest's: they are not opened.
    """
    rows, faults = image_rows(folder)
    twice: dict[tuple[str, ...], int] = {}
    for row in rows:
        rule, column = _image_fault(folder, row, items, trusted)
        key = (row.item, "") if row.kind == "catalogue" else (row.item, row.file)
        if not rule and key in twice:
            what = "a second catalogue picture of the item" if row.kind == "catalogue" else "duplicate row"
            rule, column = f"{what}, first in line {twice[key]}", "item_id"
        twice.setdefault(key, row.line)
        if rule:
            faults.append(Fault("images.csv", rule, row.line, column, IMAGE_EXAMPLE))
    return faults


def _image_fault(folder: Path, row: ImageRow, items: Collection[str] | None,
                 trusted: Collection[str]) -> tuple[str, str]:
    """Rule and column at fault, empty where the row is right."""
    if items is not None and row.item not in items:
        return f"unknown id: no item '{row.item}' in {folder.name}.item", "item_id"
    path = folder / row.file
    if Path(row.file).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        return "the file lies outside the data set folder", "file"
    if not path.is_file():
        return f"no such file '{row.file}' in the data set folder", "file"
    if row.file not in trusted and not _is_picture(path):
        return f"'{row.file}' is not a picture, or a truncated one", "file"
    return "", ""


def _is_picture(path: Path) -> bool:
    """Opens and decodes the file: a header alone is no picture."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):   # what PIL raises for broken files
        return False
    return True


def check_candidates(folder: Path, split: str, items: Collection[str] | None,
                     truth: dict[str, Iterable[str]]) -> list[Fault]:
    """Faults of one candidates file.

    Args:
        items: known item tokens; None where nothing lists them.
        truth: phase -> items that have a row in it; each must be a candidate where the phase has any.
    """
    name = f"{folder.name}.{split}.candidates.csv"
    try:
        text = (folder / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return [Fault(name, "the file is not UTF-8", example=CANDIDATE_EXAMPLE)]
    reader = csv.reader(io.StringIO(text, newline=""))
    if next(reader, []) != CANDIDATE_HEADER:
        return [Fault(name, f"bad header: it must be {','.join(CANDIDATE_HEADER)}", 1, example=CANDIDATE_EXAMPLE)]
    found: dict[tuple[str, str], int] = {}
    bad: dict[tuple[str, str | None], list[int]] = {}
    for cells in reader:
        rule, column = _candidate_fault(cells, items, folder.name, found)
        if rule:
            bad.setdefault((rule, column), []).append(reader.line_num)
        else:
            found[cells[0], cells[1]] = reader.line_num
    faults = [fault_at(name, lines, rule, column, CANDIDATE_EXAMPLE) for (rule, column), lines in bad.items()]
    if not found and not faults:
        return [Fault(name, "no rows; remove the file where the whole catalogue is ranked", example=CANDIDATE_EXAMPLE)]
    for phase, wanted in truth.items():
        ranked = {item for at, item in found if at == phase}
        lost = sorted(set(wanted) - ranked) if ranked else []
        if lost:
            shown = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
            rule = f"items of {phase} rows are no candidates of {phase}, so they could never be found: {shown}"
            faults.append(Fault(name, rule, column="item_id", example=f"{phase},{lost[0]}"))
    return faults


def _candidate_fault(cells: list[str], items: Collection[str] | None, name: str,
                     found: dict[tuple[str, str], int]) -> tuple[str, str | None]:
    if len(cells) != len(CANDIDATE_HEADER):
        return f"bad separator: {len(cells)} cells where there must be 2, separated by commas", None
    if cells[0] not in PHASES:
        return f"unknown phase; phases are {', '.join(PHASES)}", "phase"
    if items is not None and cells[1] not in items:
        return f"unknown id: no item '{cells[1]}' in {name}.item", "item_id"
    if (cells[0], cells[1]) in found:
        return f"duplicate row, first in line {found[cells[0], cells[1]]}", None
    return "", None
