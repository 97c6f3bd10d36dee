"""Where a data set lies, which YAML describes it, and which of its splits is meant."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..atomic import inter_path, label_variants
from ..errors import nearest
from ..paths import EXAMPLE, dataset_folders, dataset_splits, left_aside, packaged_data_dir, properties_dir
from .known import recbole_folder
from .stack import Stack


@dataclass(frozen=True)
class Place:
    """A data set's folder (None where there is no such data set), its YAML, if any, and what to call that YAML."""

    name: str
    folder: Path | None
    yaml: Path | None = None
    yaml_origin: str | None = None
    data_path: Any = None


def find_place(name: str, data_path: Any, faults: list[str]) -> Place:
    """Looks for a data set; a YAML beside its files comes before the one in properties/."""
    if name == EXAMPLE:
        shipped = properties_dir() / "dataset" / f"{EXAMPLE}.yaml"
        return Place(name, recbole_folder() / "dataset_example" / EXAMPLE, shipped,
                     f"properties/dataset/{EXAMPLE}.yaml", data_path)
    given = data_path if isinstance(data_path, str) else None
    folders = dataset_folders(given)
    if name not in folders:
        searched = f"{data_path}, {packaged_data_dir()}{left_aside(name, given)}"
        faults.append(f"no data set '{name}' in {searched}{nearest(name, [*folders, EXAMPLE])}")
        return Place(name, None, data_path=data_path)
    beside = folders[name] / f"{name}.yaml"
    if beside.is_file():
        return Place(name, folders[name], beside, None, data_path)
    shipped = properties_dir() / "dataset" / f"{name}.yaml"
    if shipped.is_file():
        return Place(name, folders[name], shipped, f"properties/dataset/{name}.yaml", data_path)
    return Place(name, folders[name], data_path=data_path)


def find_split(place: Place, stack: Stack, faults: list[str]) -> str | None:
    """The split in use: the one named, else the manifest's default, else the only one; None where RecBole splits.

    With ``benchmark_filename`` given, RecBole's own way to name pre-split files, there is no split of ours.
    """
    asked = stack.values.get("split")
    offered = _offered(place)
    if stack.values.get("benchmark_filename") is not None:
        if "split" in stack.given and asked is not None:
            faults.append(f"{stack.shown('split')} and {stack.shown('benchmark_filename')}: give one of the two")
        stack.derive("split", None, "benchmark_filename is given")
        return None
    if asked is not None and not isinstance(asked, str):
        return None  # a wrong type, told with the other settings
    if asked is not None and asked not in offered:
        of = f"data set '{place.name}'" if place.folder is not None else "any data set"
        hint = nearest(asked, offered) if offered else "; it has no pre-split files, RecBole's eval_args splits it"
        faults.append(f"no split '{asked}' ({stack.origins['split']}) of {of}{hint}")
    elif asked is None and place.folder is not None and offered:
        asked = _default_split(place.folder, offered)
        if asked is not None:
            stack.derive("split", asked, "the data set's default")
        elif not (place.folder / f"{place.name}.inter").is_file():
            faults.append(f"data set '{place.name}' comes pre-split; choose one: --split " + " | ".join(offered))
    return asked


def find_labels(place: Place, stack: Stack, split: str | None, faults: list[str]) -> str | None:
    """The label variant in use; None stands for the data set's own labels."""
    asked = stack.values.get("labels")
    if not isinstance(asked, str) or place.folder is None:
        return None  # a wrong type, or no data set: told elsewhere
    variants, splits = label_variants(place.folder), dataset_splits(place.folder)
    if asked not in variants:
        hint = nearest(asked, variants) if variants else "; it has only labels of its own, leave the key out"
        faults.append(f"no label variant '{asked}' ({stack.origins['labels']}) of data set '{place.name}'{hint}")
    elif split not in splits or not inter_path(place.folder, str(split), "train", asked).is_file():
        fine = [known for known in splits if inter_path(place.folder, known, "train", asked).is_file()]
        which = f"does not offer split '{split}'" if split else "takes the place of a split's files"
        faults.append(f"{stack.shown('labels')}: this label variant {which}; splits that work: {', '.join(fine)}")
    return asked


def _offered(place: Place) -> list[str]:
    """Splits of the data set; of all data sets where its name is wrong, so that a wrong split is told beside it."""
    if place.folder is not None:
        return dataset_splits(place.folder)
    folders = dataset_folders(place.data_path if isinstance(place.data_path, str) else None)
    return sorted({split for folder in folders.values() for split in dataset_splits(folder)})


def _default_split(folder: Path, offered: list[str]) -> str | None:
    manifest = folder / "manifest.json"
    if manifest.is_file():
        try:
            named = json.loads(manifest.read_text(encoding="utf-8")).get("default_split")
        except (ValueError, AttributeError):
            named = None  # a damaged manifest is told by the check of the data set, with its file and remedy
        if named in offered:
            return named
    return offered[0] if len(offered) == 1 else None
