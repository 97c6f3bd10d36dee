"""README, licences and manifest of the data set, written from the same files that make the labels."""
from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from string import Template
from typing import Any, Iterable

from ...atomic import PARTS, write_manifest
from ..licence import is_open
from .build import NAME, HealthFood, kept_shares
from .conditions import read_patient
from .knowledge import FOLDER, conditions, read_yaml
from .labels import designs
from .patients import RawPatient
from .personal import Personal
from .phrases import PHRASES, needed_facts, read_phrases
from .phrasing import phrased_text
from .pictures import PHOTO_PIXELS, PHOTO_QUALITY
from .texts import patient_text

# Made up: an example must not be a patient of credentialed data.
_EXAMPLE = (RawPatient("example", 64, "female", 31.2, {"a|b|asthma", "a|b|hypokalemia"},
                       {"a/hypertension requiring treatment", "a/Strokes/stroke"},
                       {"atorvastatin", "lisinopril", "furosemide"}, {("penicillin", True)}),
            Personal(["kiwi", "yoghurt"], ["leek", "melon"], "lactose intolerant", "fruit"))


def _rows(rows: Iterable[Iterable[Any]]) -> str:
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


def _plain(code: str) -> str:
    """``vitamin_c`` -> ``vitamin C``."""
    return re.sub(r"vitamin ([ck])", lambda hit: f"vitamin {hit.group(1).upper()}", code.replace("_", " "))


def _weights(rule: dict[str, Any]) -> str:
    cells = []
    for name, weight in rule["weights"].items():
        off = rule.get("unless", {}).get(name)
        cells.append(f"{_plain(name)} {weight:+g}" + (f" (not with {', '.join(map(_plain, off))})" if off else ""))
    return ", ".join(cells)


def _cited(keys: list[str]) -> str:
    return ", ".join(f"[{key}]" for key in keys)


def rule_rows() -> str:
    """The table of rules, one row each, from rules.yaml."""
    return _rows((_plain(rule["when"]), _weights(rule), _cited(rule["sources"]), rule.get("note", ""))
                 for rule in read_yaml("rules.yaml")["rules"])


def exclusion_rows() -> str:
    """The table of exclusions from rules.yaml."""
    return _rows((_plain(rule["what"]), ", ".join(map(_plain, rule["when"])), _cited(rule["sources"]), rule["note"])
                 for rule in read_yaml("rules.yaml")["exclusions"])


def references() -> str:
    """The list of sources with title, organisation and year."""
    return "\n".join(f"- [{key}] {source['organisation']}: {source['title']} ({source['year']})"
                     for key, source in read_yaml("rules.yaml")["sources"].items())


def _knowledge_fields(data: HealthFood) -> dict[str, Any]:
    """What the README says of rules, conditions and personal factors."""
    rules = read_yaml("rules.yaml")
    personal, likes, wanted = rules["personal"], rules["personal"]["likes"], rules["personal"]["wanted_group"]
    held = Counter(code for patient in data.patients for code in patient.conditions)
    table = _rows((f"`{entry.code}`", "yes" if entry.core else "no", held[entry.code]) for entry in conditions())
    return {"clip": rules["positives"]["clip"], "top": rules["positives"]["top"], "like_weight": likes["weight"],
            "likes_fewest": likes["fewest"], "likes_most": likes["most"], "wanted_weight": wanted["weight"],
            "wanted_any": wanted["any"], "dislikes": personal["dislikes"]["count"],
            "low_acid_from": personal["low_acid_from"],
            "diets": ", ".join(f"{name} {share:g}" for name, share in personal["diet"].items()), "rules": rule_rows(),
            "exclusions": exclusion_rows(), "references": references(), "conditions": table}


def example_rows() -> str:
    """One made-up patient in the base wording and in that of each part of the split ``phrasing``."""
    patient, personal, phrases = read_patient(_EXAMPLE[0]), _EXAMPLE[1], read_phrases(PHRASES)
    told = [("base", patient_text(patient, personal)),
            *((part, phrased_text(patient, personal, part, phrases)) for part in PARTS)]
    return _rows((f"`{name}`" if name in PARTS else name, text) for name, text in told)


def variant_rows(data: HealthFood) -> str:
    """The table of label variants: what each is and which share of the own positives it keeps."""
    kept = kept_shares(data)
    return _rows((f"`{name}`", designs()[name].what, f"{share:.1%}") for name, share in kept.items())


def _phrase_fields() -> dict[str, Any]:
    """What the README says of the table of phrases."""
    phrases = read_phrases(PHRASES)
    ways = {fact: sum(len(phrases.of(fact, part)) for part in PARTS) for fact in needed_facts()}
    return {"phrases": f"{sum(ways.values()):,}", "facts": len(ways), "fewest_ways": min(ways.values()),
            "example": example_rows()}


def readme(data: HealthFood, open_data: bool) -> str:
    """The data set's README.md."""
    lengths = [len(items) for items in data.liked.values()]
    splits = _rows((f"`{split.name}`", f"{len(split.train):,} / {len(split.valid):,} / {len(split.test):,}",
                    split.description) for split in data.splits)
    words = read_yaml("document.yaml")
    kind = "open" if open_data else "credentialed"
    template = Template((FOLDER / "README.template.md").read_text(encoding="utf-8"))
    return template.substitute(
        _knowledge_fields(data), **_phrase_fields(), variants=variant_rows(data),
        users=f"{len(data.users):,}", items=len(data.foods), splits=splits,
        counts=_rows((name, f"{left:,}") for name, left in data.counts),
        per_patient=f"{sum(lengths) / len(lengths):.1f}", distinct=f"{len(set(map(tuple, data.liked.values()))):,}",
        source_title=words["title"][kind], eicu_licence=words["licence"][kind], command=words["command"],
        cite_eicu=words["cite_eicu"], pixels=PHOTO_PIXELS, quality=PHOTO_QUALITY)


def write_documents(data: HealthFood, eicu_dir: Path, grocery_dir: Path, out: Path) -> None:
    """README.md and the licence files under ``out``: the licences that came with the sources, with their notices."""
    words, open_data = read_yaml("document.yaml"), is_open(eicu_dir)
    (out / "README.md").write_text(readme(data, open_data), encoding="utf-8")
    sources = [(grocery_dir, "LICENSE-MIT-grocery.txt", "mit")] + [(eicu_dir, "LICENSE-ODbL.txt", "odbl")] * open_data
    for folder, name, notice in sources:
        if (folder / "LICENSE.txt").is_file():
            text = (folder / "LICENSE.txt").read_text(encoding="utf-8").rstrip()
            (out / name).write_text(f"{words['notice'][notice]}\n{text}\n", encoding="utf-8")


def write_hashes(data: HealthFood, open_data: bool, out: Path) -> None:
    """manifest.json under ``out``, last of all, since it hashes every other file."""
    words = read_yaml("document.yaml")
    kind = "open" if open_data else "credentialed"
    write_manifest(out, name=NAME, title=words["manifest_title"], licence=words["licence_short"][kind],
                   source=[words["sources"][kind], words["sources"]["grocery"], words["sources"]["usda"]],
                   command=words["command"], counts=[{"filter": name, "kept": left} for name, left in data.counts],
                   splits={split.name: split.description for split in data.splits}, default_split="cold_patient",
                   labels={name: designs()[name].what for name in data.variants},
                   derived_from_credentialed=not open_data)
