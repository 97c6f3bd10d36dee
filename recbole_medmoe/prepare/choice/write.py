"""Writes the data set folder: tables, candidates, texts, README, licence and manifest."""
from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Iterable, Sequence

import pandas as pd
import yaml

from ...atomic import PARTS, inter_path, validate_folder, write_atomic, write_manifest, write_texts
from ...errors import DataError
from ...paths import properties_dir
from .questions import SUBJECT_KEYS, Question
from .repeats import NEAR, SHINGLE, SIBLINGS
from .splits import SPLIT, TOLD

__all__ = ["ChoiceData", "facts_of", "write_folder"]
FOLDER = Path(__file__).resolve().parent
USER_TYPES = {"user_id": "token", "task": "token", "source": "token"}
SETTINGS = {"task": "choice", "split": SPLIT,
            "load_col": {"inter": ["user_id", "item_id"], "item": ["item_id"], "user": ["user_id"]}}
ITEM_TYPES = {"item_id": "token"}
INTER_TYPES = {"user_id": "token", "item_id": "token"}
_ID = 12  # hexadecimal digits of an id


@dataclass(frozen=True)
class ChoiceData:
    """What is written.

    Args:
        questions: in order of their keys.
        parts: the part of each.
        counts: (filter, questions left), in the order of the filters.
        cleaned: what was cleaned of the options -> how many.
    """

    questions: Sequence[Question]
    parts: Sequence[str]
    counts: list[tuple[str, int]]
    cleaned: dict[str, int]

    def sizes(self) -> dict[str, Counter[str]]:
        """Task -> questions by part, tasks in order of their names."""
        found: dict[str, Counter[str]] = {question.task: Counter() for question in self.questions}
        for question, part in zip(self.questions, self.parts):
            found[question.task][part] += 1
        return dict(sorted(found.items()))


def facts_of(data: ChoiceData) -> dict[str, str]:
    """Facts of the whole data set, ready to print."""
    sizes = [len(question.options) for question in data.questions]
    distinct = {option for question in data.questions for option in question.options}
    rows = Counter(data.parts)
    return {"tasks": f"{len(data.sizes())}",
            "questions that train / validate / test": " / ".join(f"{rows[part]:,}" for part in PARTS),
            "options": f"{sum(sizes):,}, {len(distinct):,} different texts",
            "options per question": f"{sum(sizes) / len(sizes):.1f} ({min(sizes)} to {max(sizes)})",
            "accuracy of a blind guess": f"{sum(1 / size for size in sizes) / len(sizes):.3f}",
            **{what: f"{count:,}" for what, count in data.cleaned.items()}}


def write_folder(data: ChoiceData, files: Sequence[Path], out: Path) -> None:
    """Writes everything under ``out`` and checks it against the rules of atomic folders.

    Raises:
        DataError: two texts with the same id.
    """
    name = out.name
    users = [f"q{question.key[:_ID]}" for question in data.questions]
    options = sorted({option for question in data.questions for option in question.options})
    items = {option: f"o{hashlib.sha256(option.encode()).hexdigest()[:_ID]}" for option in options}
    if len(set(users)) < len(users) or len(set(items.values())) < len(items):
        raise DataError(f"{name}: two questions or options have the same id of {_ID} digits; divide the questions over "
                        "two data sets")
    _table({"user_id": users, "task": [question.task for question in data.questions],
            "source": [question.source for question in data.questions]}, USER_TYPES, out / f"{name}.user")
    _table({"item_id": sorted(items.values())}, ITEM_TYPES, out / f"{name}.item")
    right = [items[question.options[question.answer]] for question in data.questions]
    _table({"user_id": users, "item_id": right}, INTER_TYPES, out / f"{name}.inter")
    for part in PARTS:
        chosen = [place for place, given in enumerate(data.parts) if given == part]
        if not chosen:
            raise DataError(f"{name}: too few questions for three parts: none is left for {part}")
        _table({"user_id": [users[place] for place in chosen], "item_id": [right[place] for place in chosen]},
               INTER_TYPES, inter_path(out, SPLIT, part))
    rows = [f"{user},{items[option]}" for user, question in zip(users, data.questions) for option in question.options]
    (out / "candidates.csv").write_text("\n".join(["user_id,item_id", *rows]) + "\n", encoding="utf-8")
    write_texts(dict(zip(users, (question.text for question in data.questions))), out / "text" / "user.jsonl")
    write_texts({items[option]: option for option in sorted(options, key=items.__getitem__)},
                out / "text" / "item.jsonl")
    if not (properties_dir() / "dataset" / f"{name}.yaml").is_file():  # where there is one, it has the same settings
        (out / f"{name}.yaml").write_text(yaml.safe_dump(SETTINGS, sort_keys=False), encoding="utf-8")
    _documents(data, files, out)
    validate_folder(out)


def _table(columns: dict[str, list[str]], types: dict[str, str], path: Path) -> None:
    write_atomic(pd.DataFrame(columns), types, path)


def _documents(data: ChoiceData, files: Sequence[Path], out: Path) -> None:
    """README.md, the licence that lies beside the questions, and manifest.json, last of all."""
    words = yaml.safe_load((FOLDER / "document.yaml").read_text(encoding="utf-8"))
    known = {source: words["sources"].get(source) for source in sorted({each.source for each in data.questions})}
    licence = next((file.parent / "LICENSE.txt" for file in files if (file.parent / "LICENSE.txt").is_file()), None)
    if licence is not None:
        shutil.copyfile(licence, out / "LICENSE.txt")
    facts = facts_of(data)
    text = Template((FOLDER / "README.template.md").read_text(encoding="utf-8")).substitute(
        name=out.name, command=words["command"].format(name=out.name), near=NEAR, siblings=SIBLINGS, shingle=SHINGLE,
        keys=", ".join(f"`{key}`" for key in SUBJECT_KEYS), licence=words["licence"]["with" if licence else "without"],
        counts=_rows((what, f"{left:,}") for what, left in data.counts), facts=_rows(facts.items()),
        sources=_rows((f"`{source}`", told or "not known to the converter") for source, told in known.items()),
        tasks=_rows((f"`{task}`", *(f"{sizes[part]:,}" for part in PARTS)) for task, sizes in data.sizes().items()),
        split=TOLD)
    (out / "README.md").write_text(text, encoding="utf-8")
    write_manifest(out, title=words["title"], licence=words["licence"]["short"] if licence else "as its sources",
                   source=[told or source for source, told in known.items()],
                   command=words["command"].format(name=out.name), splits={SPLIT: TOLD}, default_split=SPLIT,
                   counts=[{"filter": what, "kept": left} for what, left in data.counts])


def _rows(rows: Iterable[Iterable[Any]]) -> str:
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
