"""What the converter knows: rules, conditions and medicines, read from the data files beside this module."""
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Iterable

import yaml

FOLDER = Path(__file__).resolve().parent


@lru_cache(maxsize=None)
def read_yaml(name: str) -> dict[str, Any]:
    """Reads one of the data files beside this module, e.g. ``rules.yaml``."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def any_of(patterns: Iterable[str], at_word: bool = False) -> re.Pattern[str]:
    """One expression for several, blind to case; ``at_word``: each starts at the start of a word."""
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(rf"(?:(?<!\w)|^)(?:{joined})" if at_word else joined, re.IGNORECASE)


@dataclass(frozen=True)
class Condition:
    """One entry of ``conditions.yaml``, ready to be asked about a patient's terms."""

    code: str
    entry: dict[str, Any]

    @property
    def core(self) -> bool:
        """Whether it alone brings a patient into the data set."""
        return bool(self.entry["core"])

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        sides = ("problems", "history", "allergies")
        return {side: any_of(self.entry[side]) for side in sides if side in self.entry}

    def holds(self, terms: dict[str, list[str]], medicines: dict[str, str], bmi: float | None) -> bool:
        """Whether the terms of the text (by side), the medicines (name to class) or the body-mass index show it."""
        for side, pattern in self._patterns.items():
            if any(pattern.search(term) for term in terms[side]):
                return True
        for wanted in self.entry.get("medicines", ()):
            kind, value = wanted.split(":", 1)
            if value in (medicines.values() if kind == "class" else medicines):
                return True
        limits = self.entry.get("bmi", {})
        if bmi is None:
            return False
        return bmi >= limits.get("at_least", float("inf")) or bmi < limits.get("below", float("-inf"))


@lru_cache(maxsize=None)
def conditions() -> tuple[Condition, ...]:
    """All conditions in the order of the file."""
    return tuple(Condition(code, entry) for code, entry in read_yaml("conditions.yaml")["conditions"].items())


@lru_cache(maxsize=None)
def medicine_classes() -> dict[str, str]:
    """Medicine name of the texts to its class code."""
    return {name: code for code, names in read_yaml("medicines.yaml").items() for name in names}


@lru_cache(maxsize=None)
def medicine_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Medicine name and the expression that finds it in a drug's name."""
    table = read_yaml("medicines.yaml")
    return tuple((name, any_of(patterns, at_word=True)) for names in table.values() for name, patterns in names.items())
