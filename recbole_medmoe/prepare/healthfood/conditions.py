"""Turns raw diagnosis, history and allergy strings into the terms of the texts, and those into condition codes."""
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Iterable

from .knowledge import any_of, conditions, medicine_classes, medicine_patterns, read_yaml
from .patients import RawPatient

_LABORATORY = re.compile(r"\s*\([<>= ]*[\d.][^()]*(?:meq|mg)[^()]*\)|\s*\([<>][^()]*\)", re.IGNORECASE)
_WHEN = re.compile(r"\s*-\s*(?:(?:date|severity|baseline creatinine) unknown|remote|within \d+ (?:years?|months?))$")
_NOT_A_STEP = re.compile(r"(?<=\bs)/(?=p\b)|(?<=\bh)/(?=o\b)|(?<=\bA)/(?=V\b)")  # s/p, h/o, A/V: slashes inside a word
_VAGUE = ("multiple", "clinical diagnosis")


@dataclass
class Patient:
    """One patient as the data set shows it: terms of the text, and the codes that the terms give."""

    digest: str
    age: int | None
    sex: str
    bmi: float | None
    problems: list[str]
    history: list[str]
    medicines: list[str]
    allergies: list[str]
    conditions: list[str]
    classes: list[str]
    core: bool

    @property
    def codes(self) -> set[str]:
        """Condition codes, medicine classes and medicine names: what a rule's ``when`` and ``unless`` may name."""
        return {*self.conditions, *self.classes, *self.medicines, "everyone"}


def problem_term(diagnosis: str) -> str:
    """``renal|electrolyte imbalance|hypokalemia|severe ( < 2.8 meq/dl)`` -> ``hypokalemia, severe``."""
    parts = [" ".join(_LABORATORY.sub("", part).split()) for part in diagnosis.split("|")]
    kept = parts[2:] if len(parts) > 2 else parts[-1:]
    for first, second in zip(kept[:-1], kept[1:]):  # "anemia|acute blood loss anemia" says one thing twice
        if second and first.lower().endswith(second.lower()):
            kept = [part for part in kept if part is not second]
        elif first and first.lower() in second.lower():
            kept = [part for part in kept if part is not first]
    return ", ".join(part for part in kept[:3] if part)


def history_term(path: str) -> str | None:
    """``.../Strokes/stroke - date unknown`` -> ``stroke``; None for entries that say nothing."""
    rules = read_yaml("conditions.yaml")["history"]
    if any(mark in path + "/" for mark in rules["drop"]):
        return None
    parts = [" ".join(part.replace("(R)", "").split()) for part in _NOT_A_STEP.sub("\0", path).split("/")]
    parts = [part.replace("\0", "/") for part in parts]
    last = _WHEN.sub("", parts[-1]).strip().replace("failure- not", "failure - not")
    last = rules["rename"].get(last, last)
    parent = next((part for part in reversed(parts[:-1]) if part.lower() not in _VAGUE and part != parts[-1]), "")
    parent = rules["rename"].get(parent, parent)
    parent = parent if parent[1:2].isupper() else parent.lower()
    if last.lower() in _VAGUE:
        return parent
    if any(mark in path for mark in rules["parent_first"]) and not last.lower().startswith(parent):
        return f"{parent}: {last}"
    return last


@lru_cache(maxsize=None)
def _allergy_patterns() -> tuple[re.Pattern[str], tuple[tuple[str, re.Pattern[str]], ...]]:
    table = read_yaml("conditions.yaml")["allergies"]
    return any_of(table["drop"]), tuple((name, any_of(patterns)) for name, patterns in table["names"].items())


def allergy_terms(entry: str, listed: bool) -> list[str]:
    """Common names in an allergy entry; else, if it is ``listed`` as a drug, the drug; else nothing."""
    drop, common = _allergy_patterns()
    if drop.search(entry):
        return []
    found = [name for name, pattern in common if pattern.search(entry)]
    if found or not listed:
        return found
    found = [name for name, pattern in medicine_patterns() if pattern.search(entry)]
    return found or [" ".join(entry.lower().split())]


def tidy(terms: Iterable[str | None]) -> list[str]:
    """Sorted, without repeats, and without a term that another one only makes more exact."""
    kept = sorted({term for term in terms if term}, key=str.lower)
    return [term for term in kept
            if not any(other.lower().startswith((f"{term},".lower(), f"{term}:".lower(), f"{term} -".lower()))
                       for other in kept)]


def read_patient(raw: RawPatient) -> Patient:
    """Terms first, then the codes from the terms alone: what decides a label can always be read in the text."""
    problems = tidy(problem_term(diagnosis) for diagnosis in raw.diagnoses)
    history = tidy(history_term(path) for path in raw.history)
    allergies = tidy(term for entry, listed in raw.allergies for term in allergy_terms(entry, listed))
    medicines = sorted(raw.medicines)
    classes = {name: medicine_classes()[name] for name in medicines}
    terms = {"problems": problems, "history": history, "allergies": allergies}
    held = {entry.code: entry for entry in conditions() if entry.holds(terms, classes, raw.bmi)}
    codes = [code for code, entry in held.items() if not set(entry.entry.get("unless", ())) & held.keys()]
    return Patient(raw.digest, raw.age, raw.sex, raw.bmi, problems, history, medicines, allergies, codes,
                   sorted(set(classes.values())), any(held[code].core for code in codes))
