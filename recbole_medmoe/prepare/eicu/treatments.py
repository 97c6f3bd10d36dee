"""Which treatment strings of eICU tell a medication."""
from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import yaml

from ..visits.drugs import DrugMaps

__all__ = ["TREATMENTS", "names_drug"]
TREATMENTS = ("all", "non-drug", "none")  # values of --treatments
_WORDS = Path(__file__).resolve().parent / "treatments.yaml"


@lru_cache(maxsize=1)
def _knowledge() -> tuple[frozenset[str], re.Pattern[str]]:
    told = yaml.safe_load(_WORDS.read_text(encoding="utf-8"))
    starts = "|".join(re.escape(word) for word in told["words"])
    return frozenset(told["groups"]), re.compile(rf"(?<![a-z0-9])(?:{starts})", re.IGNORECASE)


def names_drug(levels: list[str], maps: DrugMaps) -> bool:
    """Whether a treatment path names a drug or a class of drugs, by ``treatments.yaml`` and the table of drug names.

    Args:
        levels: the path, e.g. ``["renal", "medications", "bicarbonate"]``.
        maps: the package's own table; a user's maps would make the codes of a data set hang on them.
    """
    groups, words = _knowledge()
    if len(levels) > 1 and levels[1] in groups:
        return True
    return any(words.search(level) or ((drug := maps.by_name(level)) is not None and drug.kind == "drug")
               for level in levels[2:])
