"""Simulated personal factors (no record says what a patient likes), drawn from a SHA-256 so that they never move."""
from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Iterable, Sequence, TypeVar

from .conditions import Patient
from .foods import Food
from .knowledge import read_yaml

T = TypeVar("T")


def draw(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone, on every machine and version."""
    digest = hashlib.sha256("|".join(parts).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def shuffled(values: Iterable[str], *seed: str) -> list[str]:
    """The values in an order that depends on seed and values alone."""
    return sorted(values, key=lambda value: (draw(*seed, value), value))


def choose(table: dict[T, float], *seed: str) -> T:
    """One key of a table of probabilities."""
    left = draw(*seed) * sum(table.values())
    for key, share in table.items():
        left -= share
        if left < 0:
            return key
    return key


@dataclass
class Personal:
    """What a simulated patient likes (categories), refuses (categories), keeps to (diet), and wants more of (group)."""

    likes: list[str]
    dislikes: list[str]
    diet: str
    wanted: str | None


def diet_allows(food: Food, diet: str, low_acid_from: float) -> bool:
    """Whether a food may be eaten on a diet of rules.yaml."""
    return {"none": True, "lactose intolerant": food.flags["lactose"] == 0, "vegan": food.vegan,
            "soy allergy": food.flags["soy"] == 0, "low acid": food.flags["acid"] < low_acid_from}[diet]


def draw_personal(patient: Patient, foods: Sequence[Food]) -> Personal:
    """Diet first; likes and dislikes among what diet and allergies leave, so that no text contradicts itself."""
    rules = read_yaml("rules.yaml")["personal"]
    seed = ("personal", patient.digest)
    diet = choose(rules["diet"], *seed, "diet")
    allergies = set(patient.allergies)
    left = {food.category for food in foods
            if diet_allows(food, diet, rules["low_acid_from"]) and not food.allergens & allergies}
    order = shuffled(left, *seed, "category")
    likes = rules["likes"]
    count = likes["fewest"] + int(draw(*seed, "likes") * (likes["most"] - likes["fewest"] + 1))
    dislikes = rules["dislikes"]["count"]
    groups = sorted({food.group for food in foods})
    any_share = rules["wanted_group"]["any"]
    shares: dict[str | None, float] = {None: any_share, **{group: (1 - any_share) / len(groups) for group in groups}}
    return Personal(sorted(order[:count]), sorted(order[count:count + dislikes]), diet, choose(shares, *seed, "wanted"))
