"""Puts the data set together: raw tables in, a data set folder out."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

import pandas as pd

from ...atomic import write_atomic, write_texts
from ...errors import DataError
from .conditions import Patient, read_patient
from .foods import Food, read_foods
from .knowledge import read_yaml
from .labels import make_scores, positives
from .patients import read_patients
from .personal import Personal, draw_personal
from .pictures import write_pictures
from .splits import Split, make_splits
from .texts import patient_text

NAME = "healthfood"
USER_TYPES = {"user_id": "token", "age": "float", "sex": "token", "bmi": "float",
              "conditions": "token_seq", "medicines": "token_seq"}
ITEM_TYPES = {"item_id": "token", "name": "token", "group": "token", "category": "token"}
INTER_TYPES = {"user_id": "token", "item_id": "token"}


@dataclass
class HealthFood:
    """Everything of the data set in memory; ``patients``, ``personals`` and ``users`` are aligned."""

    users: list[str]
    patients: list[Patient]
    personals: list[Personal]
    foods: list[Food]
    liked: dict[str, list[str]]  # user -> its positives, sorted
    splits: Sequence[Split]
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
    chosen = positives(make_scores(patients, personals, foods), read_yaml("rules.yaml")["positives"]["top"])
    users = [f"p{number:04d}" for number in range(1, len(patients) + 1)]
    liked = {user: sorted(food.token for food, mark in zip(foods, row) if mark) for user, row in zip(users, chosen)}
    counts = [("unit stays read", table_rows["patient"]), ("patients (stays merged by uniquepid)", len(raw)),
              ("patients with at least one core condition", len(patients)), ("items", len(foods)),
              ("positives (top 8 of each patient, ties kept)", sum(map(len, liked.values())))]
    splits = make_splits(liked, {food.token: food.group for food in foods})
    return HealthFood(users, patients, personals, foods, liked, splits, counts)


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
        for phase, rows in (("train", split.train), ("valid", split.valid), ("test", split.test)):
            _write_pairs(rows, out / f"{NAME}.{split.name}.{phase}.inter")
        if split.candidates:
            lines = [f"{phase},{item}" for phase, items in split.candidates.items() for item in items]
            path = out / f"{NAME}.{split.name}.candidates.csv"
            path.write_text("\n".join(["phase,item_id", *lines]) + "\n", encoding="utf-8")
    (out / "text").mkdir(exist_ok=True)
    texts = map(patient_text, data.patients, data.personals)
    write_texts(dict(zip(data.users, texts)), out / "text" / "user.jsonl")
    write_texts({food.token: food.text for food in data.foods}, out / "text" / "item.jsonl")


def write_images(data: HealthFood, grocery_dir: Path, out: Path, progress: Callable[[str], None]) -> int:
    """images/ and images.csv under ``out``; gives the number of pictures."""
    rows = write_pictures(data.foods, grocery_dir, out, progress)
    lines = ["item_id,file,kind", *(",".join(row) for row in rows)]
    (out / "images.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(rows)
