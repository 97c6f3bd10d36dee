"""The 81 groceries: readable names, texts, and (for the labels alone) nutrients and flags."""
from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .knowledge import FOLDER
from .nutrients import NUTRIENTS, Values, packet_values, read_usda

FLAGS = ("liquid", "sweetened", "acid", "lactose", "purine", "oxalate", "soy", "grapefruit")


@dataclass
class Food:
    """One grocery item. ``nutrients`` per 100 g, None where neither the packet nor USDA says; ``flags`` in 0..1."""

    token: str
    name: str
    group: str
    category: str
    text: str
    class_id: int
    picture: Path
    nutrients: Values
    flags: dict[str, float]
    allergens: frozenset[str]
    vegan: bool


def slug(name: str) -> str:
    """``Golden-Delicious`` -> ``golden-delicious``."""
    return name.lower()


def snake(name: str) -> str:
    """``Sour-Cream`` -> ``sour_cream``."""
    return name.lower().replace("-", "_")


def _nutrients(row: dict[str, str], usda: dict[str, Values], information: str) -> Values:
    """The packet first, then the mapped USDA food times its share, then the fallback food for what USDA leaves open."""
    values: Values = {}
    for key in NUTRIENTS:
        value = usda[row["ndb_no"]][key]
        if value is None and row["fallback_ndb_no"]:
            value = usda[row["fallback_ndb_no"]][key]
        values[key] = None if value is None else value * float(row["share"])
    return {**values, **packet_values(information)}


def read_map() -> dict[str, dict[str, str]]:
    """``usda_map.csv`` by item token."""
    with (FOLDER / "usda_map.csv").open(encoding="utf-8", newline="") as handle:
        return {row["item"]: row for row in csv.DictReader(handle)}


def read_foods(grocery: Path, usda_file: Path) -> list[Food]:
    """All grocery items in the order of their class numbers.

    Raises:
        DataError: items.json is missing, or an item or NDB number is not known.
    """
    source = grocery / "items.json"
    if not source.is_file():
        raise DataError(f"{source}: no such file; give the folder with items.json, photos.csv, iconic/ and photos/")
    usda, table = read_usda(usda_file), read_map()
    foods = []
    for entry in sorted(json.loads(source.read_text(encoding="utf-8")), key=lambda item: item["class_id"]):
        token = slug(entry["name"])
        if token not in table:
            raise DataError(f"{source}: item '{entry['name']}' is not in usda_map.csv; add a line for it")
        row = table[token]
        for number in filter(None, (row["ndb_no"], row["fallback_ndb_no"])):
            if number not in usda:
                raise DataError(f"{usda_file}: no food {number}, which usda_map.csv gives to '{token}'")
        foods.append(_food(entry, row, _nutrients(row, usda, entry["information"]), grocery))
    return foods


def _food(entry: dict[str, Any], row: dict[str, str], nutrients: Values, grocery: Path) -> Food:
    name = entry["name"].replace("-", " ")
    description = " ".join(entry["description"].split())
    return Food(token=slug(entry["name"]), name=name, group=snake(entry["group"]), category=snake(entry["coarse"]),
                text=f"{name}. {description}", class_id=int(entry["class_id"]), picture=grocery / entry["iconic"],
                nutrients=nutrients, flags={flag: float(row[flag]) for flag in FLAGS},
                allergens=frozenset(row["allergens"].split()), vegan=row["vegan"] == "1")


def feature_columns(foods: list[Food], clip: float) -> dict[str, np.ndarray]:
    """What a rule's weights multiply, one array [I] per name.

    Nutrients: z of log1p over the catalogue, clipped; 0 where not known. Flags, and ``latex_fruit``: as they are.
    """
    columns = {flag: np.array([food.flags[flag] for food in foods]) for flag in FLAGS}
    columns["latex_fruit"] = np.array([float("latex" in food.allergens) for food in foods])
    for key in NUTRIENTS:
        raw = [food.nutrients[key] for food in foods]
        known = np.array([value is not None for value in raw])
        logs = np.log1p(np.array([0.0 if value is None else value for value in raw]))
        spread = logs[known].std() if known.any() else 0.0
        z = (logs - logs[known].mean()) / spread if spread > 0 else np.zeros(len(foods))
        columns[key] = np.where(known, np.clip(z, -clip, clip), 0.0)
    return columns
