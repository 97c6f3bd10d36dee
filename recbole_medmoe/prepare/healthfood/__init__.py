"""Healthy food: eICU patients, groceries and dietary rules become the data set ``healthfood``, a simulation."""
from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Callable

from ...atomic import replace_folder, restore_folder
from ...errors import DataError
from .build import NAME, HealthFood, kept_shares, make_healthfood, write_images, write_tables
from .document import is_open, write_documents, write_hashes

__all__ = ["prepare_healthfood"]


def prepare_healthfood(eicu_dir: Path, grocery_dir: Path, usda_file: Path, out: Path,
                       progress: Callable[[str], None]) -> dict[str, Any]:
    """Makes the data set folder; the same sources give the same bytes.

    Everything is written beside the target first and put in place at the end, so an error leaves an earlier data set
    whole. A ``features/`` folder already there is kept (banks know the content they were made from).

    Args:
        eicu_dir: folder with eICU's CSV tables (the demo's or the full ones), gzipped or not.
        grocery_dir: folder with items.json, photos.csv, iconic/ and photos/.
        usda_file: USDA's abbreviated nutrient table as CSV, gzipped or not.
        out: the data set folder, called ``healthfood``; one that is there already is replaced.
        progress: called with one line per stage.

    Returns:
        What to print, in order: each filter with the rows it leaves, each split with its rows, each group of label
        variants with the share of the data set's own positives that it keeps, the pictures.

    Raises:
        DataError: a source is missing or not of the expected layout, or ``out`` has another name or content.
    """
    eicu_dir, grocery_dir, target = Path(eicu_dir), Path(grocery_dir), Path(out)
    if target.name != NAME:
        raise DataError(f"{target}: the folder of this data set is called {NAME}; give --out {target / NAME}")
    if target.exists() and not (target / f"{NAME}.inter").is_file() and (target.is_file() or any(target.iterdir())):
        raise DataError(f"{target}: is there already and is no {NAME} data set; name another folder with --out")
    restore_folder(target)
    data = make_healthfood(eicu_dir, grocery_dir, Path(usda_file), progress)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{NAME}-", dir=target.parent) as temporary:
        made = Path(temporary) / NAME
        made.mkdir()
        write_tables(data, made)
        pictures = write_images(data, grocery_dir, made, progress)
        write_documents(data, eicu_dir, grocery_dir, made)
        if (target / "features").is_dir():
            shutil.copytree(target / "features", made / "features")
        write_hashes(data, is_open(eicu_dir), made)
        if not is_open(eicu_dir):
            made.chmod(0o700)  # derived from credentialed data: for its owner alone
        replace_folder(made, target)
    splits = {f"split {split.name}: train / valid / test rows":
              f"{len(split.train):,} / {len(split.valid):,} / {len(split.test):,}" for split in data.splits}
    counts = {name: f"{left:,}" for name, left in data.counts}
    return {**counts, **splits, **_variant_lines(data), "pictures": f"{pictures:,}"}


def _variant_lines(data: HealthFood) -> dict[str, str]:
    """Share of the data set's own positives that each group of label variants keeps; D01, D02... are one group."""
    groups: dict[str, dict[str, float]] = {}
    for name, share in kept_shares(data).items():
        groups.setdefault(name.rstrip("0123456789"), {})[name] = share
    lines = {}
    for shares in groups.values():
        names, values = list(shares), list(shares.values())
        called = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        spread = "" if len(names) == 1 else f" ({min(values):.1%} to {max(values):.1%})"
        lines[f"labels {called}: own positives kept"] = f"{sum(values) / len(values):.1%}{spread}"
    return lines
