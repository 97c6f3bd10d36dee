"""The one place that knows where properties/, dataset_atomic/, caches and runs lie: source tree or installed wheel."""
from __future__ import annotations

import os
import re
from pathlib import Path

from .errors import DataError, nearest

EXAMPLE = "ml-100k"  # RecBole ships it and takes this copy, whatever data_path says
_PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """In a wheel the folder lies inside the package, in a source tree beside it."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def properties_dir() -> Path:
    """Folder of YAML defaults and prompt templates."""
    return _shipped("properties")


def packaged_data_dir() -> Path:
    """Folder of the data sets that ship."""
    return _shipped("dataset_atomic")


def cache_dir(given: str | Path | None = None) -> Path:
    """Folder for converted backbones and encoded features: the ``given`` one (the key ``cache_dir``), else that of
    ``RECBOLE_MEDMOE_CACHE``, else the user's own."""
    named = given or os.environ.get("RECBOLE_MEDMOE_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "recbole_medmoe"


def dataset_folders(data_path: str | Path | None = None) -> dict[str, Path]:
    """Name to folder of each data set with an ``.inter`` file of its own name, the user's before the shipped ones."""
    found: dict[str, Path] = {}
    for base in [packaged_data_dir()] + ([Path(data_path)] if data_path else []):
        if base.is_dir():
            for folder in sorted(base.iterdir()):
                if folder.is_dir() and any(folder.glob(f"{folder.name}*.inter")):
                    found[folder.name] = folder
    return found


def dataset_folder(name: str, data_path: str | Path | None = None) -> Path:
    """Folder of one data set.

    Raises:
        DataError: no such data set; the message names the nearest one and the folders searched.
    """
    folders = dataset_folders(data_path)
    if name not in folders:
        searched = ", ".join(str(base) for base in [data_path, packaged_data_dir()] if base)
        raise DataError(f"no data set '{name}' in {searched}{left_aside(name, data_path)}"
                        f"{nearest(name, [*folders, EXAMPLE])}")
    return folders[name]


def set_aside(folder: Path) -> Path:
    """Where a data set lies for the moment in which another takes its place."""
    return folder.parent / f".{folder.name}.before"


def left_aside(name: str, data_path: str | Path | None) -> str:
    """End of a message on a missing data set: where it lies if a command that replaced it was killed, else nothing."""
    aside = set_aside(Path(data_path or ".") / name)
    if not aside.is_dir():
        return ""
    return f"; it lies in {aside} since a run of `prepare` was killed: rename it to {name}, or run `prepare` again"


def dataset_splits(folder: Path) -> list[str]:
    """Names of the pre-split triples that a data set folder offers, e.g. ``['cold_patient', 'warm']``."""
    tail = ".train.inter"
    return sorted(path.name[len(folder.name) + 1:-len(tail)] for path in folder.glob(f"{folder.name}.*{tail}"))


def dataset_folds(folder: Path) -> list[str]:
    """The folds among the splits that a data set offers, ``fold0``, ``fold1`` ... in order; none, or at least two."""
    found = sorted((split for split in dataset_splits(folder) if re.fullmatch(r"fold\d+", split)),
                   key=lambda split: int(split.removeprefix("fold")))
    return found if len(found) > 1 else []
