"""A tiny data set in the shape of healthfood, made in code: 30 patients, 12 items, texts, pictures, feature banks."""
from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..encoders import EncoderSpec, FeatureBank, bank_name, content_hash
from ..encoders.obtain import encoder_key

CONDITIONS = ("hypertension", "diabetes", "gout", "anaemia")
ITEMS = ("apple", "banana", "cabbage", "date", "egg", "fig", "grape", "hummus", "iceberg", "juice", "kiwi", "lemon")
_NEW_ITEMS = {"valid": ("fig", "kiwi"), "test": ("cabbage", "lemon")}


def _patients(noise: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for number in range(30):
        conditions = [name for place, name in enumerate(CONDITIONS) if place == number % 4 or place == number // 4 % 3]
        rows.append({"id": f"p{number + 1:04d}", "age": "" if number % 7 == 0 else str(40 + number),
                     "sex": ("female", "male")[number % 2], "bmi": f"{20 + noise.random() * 15:.1f}",
                     "conditions": conditions, "medicines": ["statin"] if number % 3 == 0 else []})
    return rows


def _positives(patient: dict[str, Any]) -> list[str]:
    """Each condition wants three items of its own, so that any sensible model learns something."""
    return [item for place, name in enumerate(CONDITIONS) if name in patient["conditions"]
            for item in ITEMS[3 * place:3 * place + 3]]


def _write(path: Path, header: str, rows: list[list[str]]) -> None:
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8")


def _splits(patients: list[dict[str, Any]]) -> dict[str, dict[str, list[list[str]]]]:
    pairs = [[patient["id"], item] for patient in patients for item in _positives(patient)]
    part = {patient["id"]: "train" if number < 20 else "valid" if number < 24 else "test"
            for number, patient in enumerate(patients)}
    found: dict[str, dict[str, list[list[str]]]] = {
        name: {phase: [] for phase in ("train", "valid", "test")} for name in ("cold_patient", "warm", "cold_item0")}
    for number, (user, item) in enumerate(pairs):
        found["cold_patient"][part[user]].append([user, item])
        found["warm"][("train", "train", "train", "valid", "test")[number % 5]].append([user, item])
        phase = next((phase for phase, new in _NEW_ITEMS.items() if item in new), "train")
        found["cold_item0"][phase].append([user, item])
    return found


def _add_label_variant(folder: Path) -> None:
    """Label variant A of ``cold_patient``: the last of each condition's three items is no longer wanted."""
    (folder / "labels" / "A").mkdir(parents=True)
    for phase in ("train", "valid", "test"):
        own = folder / f"{folder.name}.cold_patient.{phase}.inter"
        header, *rows = own.read_text(encoding="utf-8").splitlines()
        kept = [row.split("\t") for row in rows if ITEMS.index(row.split("\t")[1]) % 3 < 2]
        _write(folder / "labels" / "A" / own.name, header, kept)


def _add_phrasing(folder: Path, noise: np.random.Generator) -> None:
    """Split ``phrasing``: the patients of ``cold_patient``, told in other words, with banks of these texts."""
    for phase in ("train", "valid", "test"):
        rows = (folder / f"{folder.name}.cold_patient.{phase}.inter").read_text(encoding="utf-8")
        (folder / f"{folder.name}.phrasing.{phase}.inter").write_text(rows, encoding="utf-8")
    told = {}
    for line in (folder / "text" / "user.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        told[row["id"]] = row["text"].replace("Patient with", "Somebody who suffers from")
    _write_texts(folder / "text" / "phrasing" / "user.jsonl", told)
    for common in sorted((folder / "features").glob("user.text.*.safetensors")):
        bank = FeatureBank.load(common)
        matrix = bank.matrix + 0.1 * noise.normal(size=bank.matrix.shape)
        hashes = [content_hash(told[token]) for token in bank.tokens]
        FeatureBank(bank.tokens, matrix, bank.present, hashes, bank.key).save(
            folder / "features" / "phrasing" / common.name)


def _add_photos(folder: Path, noise: np.random.Generator) -> None:
    """A photo of each item but the last; the first looks like the catalogue's picture of the fourth."""
    (name,) = (folder / "features").glob("item.image.*.safetensors")
    bank, hashes = FeatureBank.load(name), []
    with (folder / "images.csv").open("a", encoding="utf-8", newline="") as stream:
        for item in ITEMS[:-1]:
            file = f"images/{item}-photo.png"
            Image.fromarray(noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / file)
            csv.writer(stream).writerow((item, file, "photo"))
            hashes.append(content_hash(folder / file))
    matrix = bank.matrix[[3, *range(1, len(hashes))]]
    FeatureBank(list(ITEMS[:-1]), matrix, bank.present[:-1], hashes, bank.key).save(
        folder / "features" / "photo" / name.name)


def _write_texts(path: Path, texts: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": token, "text": text}) for token, text in texts.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_banks(folder: Path, patients: list[dict[str, Any]], contents: dict[str, dict[str, Any]],
                 noise: np.random.Generator) -> None:
    """Features that the packaged encoders might give: a random view of the truth, keyed as the real ones would be."""
    truth = {"user": np.array([[name in patient["conditions"] for name in CONDITIONS] for patient in patients], float),
             "item": np.repeat(np.eye(len(CONDITIONS)), 3, axis=0)}
    for side, spec in (("user", EncoderSpec("text", "minilm-l6", "mean")),
                       ("item", EncoderSpec("text", "minilm-l6", "mean")),
                       ("item", EncoderSpec("image", "efficientnet-lite0", "pool")),
                       ("user", EncoderSpec("text", "smollm2-135m", "layers", "food_user")),
                       ("item", EncoderSpec("text", "smollm2-135m", "layers", "food_item"))):
        there = contents["image" if spec.modality == "image" else side]
        matrix = truth[side] @ noise.normal(size=(len(CONDITIONS), 8)) + 0.1 * noise.normal(size=(len(truth[side]), 8))
        tokens = list(there)
        bank = FeatureBank(tokens, matrix.astype(np.float32), np.ones(len(tokens), dtype=bool),
                           [content_hash(there[token]) for token in tokens], encoder_key(spec))
        bank.save(folder / "features" / f"{bank_name(side, spec)}.safetensors")


def make_food(folder: Path) -> Path:
    """Writes the data set into ``folder``, whose name is the data set's, and returns it."""
    noise = np.random.default_rng(0)
    patients = _patients(noise)
    (folder / "images").mkdir(parents=True)
    name = folder.name
    _write(folder / f"{name}.user",
           "user_id:token\tage:float\tsex:token\tbmi:float\tconditions:token_seq\tmedicines:token_seq",
           [[p["id"], p["age"], p["sex"], p["bmi"], " ".join(p["conditions"]), " ".join(p["medicines"])]
            for p in patients])
    _write(folder / f"{name}.item", "item_id:token\tname:token\tgroup:token\tcategory:token",
           [[item, item, "food", CONDITIONS[place // 3]] for place, item in enumerate(ITEMS)])
    header = "user_id:token\titem_id:token"
    _write(folder / f"{name}.inter", header, [[p["id"], item] for p in patients for item in _positives(p)])
    for split, parts in _splits(patients).items():
        for phase, rows in parts.items():
            _write(folder / f"{name}.{split}.{phase}.inter", header, rows)
    with (folder / f"{name}.cold_item0.candidates.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("phase", "item_id"),
                                      *((phase, item) for phase, new in _NEW_ITEMS.items() for item in new)])
    told = {p["id"]: f"Patient with {' and '.join(p['conditions'])}, sex {p['sex']}." for p in patients}
    texts = {"user": told,
             "item": {item: f"{item}, good against {CONDITIONS[place // 3]}." for place, item in enumerate(ITEMS)}}
    for side, described in texts.items():
        _write_texts(folder / "text" / f"{side}.jsonl", described)
    images = {}
    for item in ITEMS:
        images[item] = folder / "images" / f"{item}.png"
        Image.fromarray(noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(images[item])
    with (folder / "images.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("item_id", "file", "kind"),
                                      *((item, f"images/{item}.png", "catalogue") for item in ITEMS)])
    _write_banks(folder, patients, {**texts, "image": images}, noise)
    _add_label_variant(folder)
    _add_phrasing(folder, noise)
    _add_photos(folder, noise)
    (folder / f"{name}.yaml").write_text(
        "task: food\nsplit: cold_patient\nload_col:\n  inter: [user_id, item_id]\n"
        "  user: [user_id, age, sex, bmi, conditions, medicines]\n  item: [item_id, group, category]\n",
        encoding="utf-8")
    return folder
