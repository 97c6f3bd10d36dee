"""Puts the data set together: raw tables in, a data set folder out."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

import pandas as pd

from ...atomic import inter_path, write_atomic, write_texts
from ...errors import DataError
from .conditions import Patient, read_patient
from .foods import Food, read_foods
from .labels import OWN, LabelMaker, designs
from .patients import read_patients
from .personal import Personal, draw_personal
from .phrases import PHRASES, read_phrases
from .phrasing import phrased_text
from .pictures import write_pictures
from .splits import Liked, Split, make_splits
from .texts import patient_text

NAME = "healthfood"
USER_TYPES = {"user_id": "token", "age": "float", "sex": "token", "bmi": "float",
              "conditions": "token_seq", "medicines": "token_seq"}
ITEM_TYPES = {"item_id": "token", "name": "token", "group": "token", "category": "token"}
INTER_TYPES = {"user_id": "token", "item_id": "token"}
VARIANT_SPLITS = ("cold_patient",)  # splits that the label variants offer


@dataclass
class HealthFood:
    """Everything of the data set in memory; ``patients``, ``personals`` and ``users`` are aligned."""

    users: list[str]
    patients: list[Patient]
    personals: list[Personal]
    foods: list[Food]
    liked: Liked  # user -> its positives, sorted
    variants: dict[str, Liked]  # label variant -> user -> its positives under that design
    splits: Sequence[Split]
    phrased: dict[str, str]  # user -> its text in the split ``phrasing``
    counts: list[tuple[str, int]]  # (filter, rows left), in the order of the filters


def make_healthfood(eicu_dir: Path, grocery_dir: Path, usda_file: Path, progress: Callable[[str], None]) -> HealthFood:
    """Reads the sources, labels the patients and splits the rows; writes nothing.

    Raises:
        DataError: a source is missing or not of the expected layout, or no patient is left.
    """
    foods = read_foods(grocery_dir, usda_file)
    progress(f"foods: {len(foods)} items, nutrients from USDA and the packets")
    raw, table_rows = read_patients(eicu_dir)
    progress(f"eICU: {table_rows['patient']} stays of {len(raw)} patients")
    everyone = [read_patient(patient) for patient in raw]
    patients = [patient for patient in everyone if patient.core]
    if not patients:
        raise DataError(f"{eicu_dir}: no patient has a condition that a dietary rule speaks of; give all of eICU")
    progress(f"patients: {len(patients)} with at least one condition that a dietary rule speaks of")
    personals = [draw_personal(patient, foods) for patient in patients]
    users = [f"p{number:04d}" for number in range(1, len(patients) + 1)]
    labels = make_labels(users, LabelMaker(patients, personals, foods))
    liked = labels.pop(OWN)
    progress(f"labels: the data set's own and {len(labels)} variants")
    counts = [("unit stays read", table_rows["patient"]), ("patients (stays merged by uniquepid)", len(raw)),
              ("patients with at least one core condition", len(patients)), ("items", len(foods)),
              ("positives (top 8 of each patient, ties kept)", sum(map(len, liked.values())))]
    splits = make_splits(liked, {food.token: food.group for food in foods})
    phrases = read_phrases(PHRASES)
    place = {user: number for number, user in enumerate(users)}
    parts = next(split for split in splits if split.name == "phrasing").part_users()
    phrased = {user: phrased_text(patients[place[user]], personals[place[user]], part, phrases)
               for part, some in parts.items() for user in some}
    phrased = dict(sorted(phrased.items()))
    return HealthFood(users, patients, personals, foods, liked, labels, splits, phrased, counts)


def make_labels(users: Sequence[str], maker: LabelMaker) -> dict[str, Liked]:
    """Design -> user -> its positives, sorted; the data set's own design among them."""
    tokens = [food.token for food in maker.foods]
    return {name: {user: sorted(token for token, mark in zip(tokens, row) if mark)
                   for user, row in zip(users, maker.positives(design))} for name, design in designs().items()}


def kept_shares(data: HealthFood) -> dict[str, float]:
    """Label variant -> share of the data set's own positives that it has too."""
    own = sum(map(len, data.liked.values()))
    return {name: sum(len({*items} & {*data.liked[user]}) for user, items in liked.items()) / own
            for name, liked in data.variants.items()}


def _write_pairs(rows: Sequence[tuple[str, str]], path: Path) -> None:
    write_atomic(pd.DataFrame(list(rows), columns=list(INTER_TYPES)), INTER_TYPES, path)


def write_tables(data: HealthFood, out: Path) -> None:
    """Atomic files, texts and candidates under ``out``, which exists."""
    users = [(user, patient.age, patient.sex, patient.bmi, patient.conditions, patient.classes)
             for user, patient in zip(data.users, data.patients)]
    write_atomic(pd.DataFrame(users, columns=list(USER_TYPES)), USER_TYPES, out / f"{NAME}.user")
    items = [(food.token, food.token.replace("-", "_"), food.group, food.category) for food in data.foods]
    write_atomic(pd.DataFrame(items, columns=list(ITEM_TYPES)), ITEM_TYPES, out / f"{NAME}.item")
    _write_pairs([(user, item) for user in data.users for item in data.liked[user]], out / f"{NAME}.inter")
    for split in data.splits:
        for part, rows in split.parts.items():
            _write_pairs(rows, inter_path(out, split.name, part))
        if split.candidates:
            lines = [f"{phase},{item}" for phase, items in split.candidates.items() for item in items]
            path = out / f"{NAME}.{split.name}.candidates.csv"
            path.write_text("\n".join(["phase,item_id", *lines]) + "\n", encoding="utf-8")
    for split in (split for split in data.splits if split.name in VARIANT_SPLITS):
        for name, liked in data.variants.items():
            (out / "labels" / name).mkdir(parents=True, exist_ok=True)
            for part, some in split.part_users().items():
                rows = [(user, item) for user in some for item in liked[user]]
                _write_pairs(rows, inter_path(out, split.name, part, name))
    texts = map(patient_text, data.patients, data.personals)
    write_texts(dict(zip(data.users, texts)), out / "text" / "user.jsonl")
    write_texts({food.token: food.text for food in data.foods}, out / "text" / "item.jsonl")
    write_texts(data.phrased, out / "text" / "phrasing" / "user.jsonl")


def write_images(data: HealthFood, grocery_dir: Path, out: Path, progress: Callable[[str], None]) -> int:
    """images/ and images.csv under ``out``; gives the number of pictures."""
    rows = write_pictures(data.foods, grocery_dir, out, progress)
    lines = ["item_id,file,kind", *(",".join(row) for row in rows)]
    (out / "images.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(rows)
