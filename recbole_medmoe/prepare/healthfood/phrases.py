"""The table of ways to say each fact, ``phrases.csv``: read, and checked whole, so that a clinician can correct it."""
from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

from ...atomic import MAX_FAULTS, PARTS, Fault
from ...errors import DataError, nearest
from .knowledge import FOLDER, conditions, medicine_classes, read_yaml
from .texts import GROUPS

PHRASES = FOLDER / "phrases.csv"
HEADER = ["fact", "part", "kind", "phrase"]
KINDS = ("clinical", "lay", "abbreviation", "brand")
EXAMPLE = "condition:hypertension,train,lay,high blood pressure"
# sentence -> the placeholder that its phrases hold, empty where they hold none
FRAMES = {
    "who_male": "age", "who_female": "age", "who_unknown": "age",
    "who_male_adult": "", "who_female_adult": "", "who_unknown_adult": "", "bmi": "bmi", "no_bmi": "",
    "likes": "items", "dislikes": "items", "diet": "diet", "wants": "wanted", "conditions": "items",
    "medicines": "items", "no_medicines": "", "other": "items", "allergy": "items", "no_allergy": "",
}
_HOLE = re.compile(r"\{(.*?)\}")


@dataclass(frozen=True)
class Phrases:
    """What may be said for a fact: ``table`` maps (fact, part) to phrases; each belongs to one fact and one part."""

    table: Mapping[tuple[str, str], tuple[str, ...]]

    def of(self, fact: str, part: str) -> tuple[str, ...]:
        """Phrases of a fact, e.g. ``condition:gout``, in ``train``, ``valid`` or ``test``; never empty."""
        return self.table[fact, part]


def named_medicines() -> list[str]:
    """Medicines that a rule or exclusion names by themselves, and which are said apart from their class."""
    rules = read_yaml("rules.yaml")
    codes = {rule["when"] for rule in rules["rules"]} | {code for rule in rules["exclusions"] for code in rule["when"]}
    classes = medicine_classes()
    return sorted(codes & classes.keys() - set(classes.values()))


def needed_facts() -> list[str]:
    """Every fact that a patient's text can hold."""
    medicines = [*dict.fromkeys(medicine_classes().values()), *named_medicines()]
    return [*(f"condition:{entry.code}" for entry in conditions()), *(f"medicine:{name}" for name in medicines),
            *(f"diet:{name}" for name in read_yaml("rules.yaml")["personal"]["diet"]),
            *(f"wanted:{name}" for name in (*GROUPS, "none")), *(f"frame:{name}" for name in FRAMES)]


def read_phrases(path: Path) -> Phrases:
    """Reads a table with the columns fact, part, kind, phrase.

    Raises:
        DataError: no such file, or all faults with line and column: an unknown fact, part or kind, a phrase that comes
            twice or under two facts, a sentence without its placeholder, a fact without a phrase for some part.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; it holds the ways to say each fact, a line each, e.g. {EXAMPLE}")
    try:
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    except UnicodeDecodeError as fault:
        raise DataError(f"{path}: the file is not UTF-8; save it as UTF-8") from fault
    if next(reader, []) != HEADER:
        raise DataError(f"{path}, line 1: bad header: it must be {','.join(HEADER)}")
    needed = needed_facts()
    known, found = set(needed), dict[tuple[str, str], list[str]]()
    first: dict[str, tuple[int, str]] = {}  # phrase in small letters -> its line and fact
    faults = []
    for cells in reader:
        rule, column = _row_fault(cells, known, first)
        if rule:
            faults.append(Fault(path.name, rule, reader.line_num, column, EXAMPLE))
        if len(cells) == len(HEADER):
            first.setdefault(cells[3].casefold(), (reader.line_num, cells[0]))
            found.setdefault((cells[0], cells[1]), []).append(cells[3])
    for fact in needed:
        lacking = [part for part in PARTS if (fact, part) not in found]
        if lacking:
            rule = f"'{fact}' has no phrase for {', '.join(lacking)}; each fact needs one in every part"
            faults.append(Fault(path.name, rule, column="part", example=f"{fact},{lacking[0]},lay,..."))
    if faults:
        lines = [f"  - {fault}" for fault in faults[:MAX_FAULTS]]
        more = [f"  ... and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        head = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise DataError("\n".join([f"{head} in the table of phrases {path}:", *lines, *more]))
    return Phrases({key: tuple(said) for key, said in found.items()})


def _row_fault(cells: list[str], known: set[str], first: Mapping[str, tuple[int, str]]) -> tuple[str, str | None]:
    """Rule and column at fault, empty where the row is right."""
    if len(cells) != len(HEADER):
        return f"{len(cells)} cells where there must be 4, separated by commas; quote a phrase that has a comma", None
    fact, part, kind, phrase = cells
    if fact not in known:
        return f"unknown fact '{fact}'{nearest(fact, known)}", "fact"
    if part not in PARTS:
        return f"unknown part '{part}'; parts are {', '.join(PARTS)}", "part"
    if kind not in KINDS:
        return f"unknown kind '{kind}'; kinds are {', '.join(KINDS)}", "kind"
    if not phrase or phrase != " ".join(phrase.split()):
        return "the phrase is empty or has spaces too many", "phrase"
    line, other = first.get(phrase.casefold(), (0, ""))
    if line:
        what = "the same phrase twice" if other == fact else f"the same phrase under two facts, '{other}'"
        return f"{what}, first in line {line}; a phrase belongs to one fact and one part", "phrase"
    holes, wanted = _HOLE.findall(phrase), [FRAMES[fact[6:]]] if fact.startswith("frame:") else [""]
    if holes != [name for name in wanted if name]:
        rule = f"must hold {{{wanted[0]}}} once" if wanted[0] else "holds no placeholder"
        return f"a phrase of '{fact}' {rule}", "phrase"
    return "", None
