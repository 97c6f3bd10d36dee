"""A tiny set of raw sources in the layout of eICU, the Grocery Store data set and USDA: made up, a few rows each."""
from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Sequence

import pytest
from PIL import Image

from recbole_medmoe.prepare import prepare_healthfood
from recbole_medmoe.prepare.healthfood.nutrients import NUTRIENTS

ITEMS = [("Golden-Delicious", "Apple", "Fruit"), ("Banana", "Banana", "Fruit"), ("Kiwi", "Kiwi", "Fruit"),
         ("Lemon", "Lemon", "Fruit"), ("Watermelon", "Melon", "Fruit"), ("Red-Grapefruit", "Red-Grapefruit", "Fruit"),
         ("Bravo-Apple-Juice", "Juice", "Packages"), ("Arla-Standard-Milk", "Milk", "Packages"),
         ("Oatly-Oat-Milk", "Oat-Milk", "Packages"), ("Alpro-Fresh-Soy-Milk", "Soy-Milk", "Packages"),
         ("Carrots", "Carrots", "Vegetables"), ("Vine-Tomato", "Tomato", "Vegetables"),
         ("Regular-Tomato", "Tomato", "Vegetables"), ("Zucchini", "Zucchini", "Vegetables")]
# stay, sex, age, height, weight, weight at discharge, patient
STAYS = [("1", "Male", "70", "180", "80", "", "P-A"), ("2", "Male", "71", "180", "90", "", "P-A"),
         ("3", "Female", "> 89", "600", "60", "", "P-B"), ("4", "Female", "55", "160", "", "90", "P-C"),
         ("5", "", "", "", "", "", "P-D"), ("6", "Male", "40", "175", "70", "", "P-E")]
DIAGNOSES = [("1", "cardiovascular|vascular disorders|hypertension"),
             ("2", "renal|electrolyte imbalance|hypokalemia|severe ( < 2.8 meq/dl)"),
             ("2", "renal|electrolyte imbalance|hypokalemia"), ("3", "endocrine|glucose metabolism|diabetes mellitus"),
             ("6", "neurologic|altered mental status / pain|pain")]
HISTORY = [("1", "notes/Past History/Organ Systems/Neurologic/Strokes/stroke - date unknown"),
           ("3", "notes/Past History/Organ Systems/Renal  (R)/s/p Renal Transplant/s/p renal transplant"),
           ("5", "notes/Past History/Organ Systems/Rheumatic/SLE/SLE")]
ORDERS = [("1", "SIMVASTATIN 40 MG PO TABS", "100", "No"), ("2", "", "100", "No"), ("3", "", "100", "No"),
          ("3", "LASIX", "200", "Yes"), ("5", "ZYLOPRIM", "300", "No"), ("6", "SODIUM CHLORIDE 0.9 %", "7", "No")]
HOME = [("4", "METFORMIN HCL          ", "400")]
ALLERGIES = [("1", "Banana", "Non Drug"), ("3", "See Cerner", "Non Drug"), ("3", "my own words", "Non Drug"),
             ("4", "LATEX GLOVES", "Non Drug"), ("4", "CODEINE PHOSPHATE", "Drug")]


@dataclass
class Raw:
    """The three sources."""

    eicu: Path
    grocery: Path
    usda: Path


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """One gzipped table."""
    with gzip.open(path, "wt", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(rows)


def write_eicu(folder: Path, reverse: bool) -> Path:
    """The tables that the converter reads."""
    folder.mkdir(parents=True)
    turned = (lambda rows: list(reversed(rows))) if reverse else list
    write_csv(folder / "patient.csv.gz", ["patientunitstayid", "gender", "age", "admissionheight", "admissionweight",
                                          "dischargeweight", "uniquepid"], turned(STAYS))
    write_csv(folder / "diagnosis.csv.gz", ["patientunitstayid", "diagnosisstring"], turned(DIAGNOSES))
    write_csv(folder / "pastHistory.csv.gz", ["patientunitstayid", "pasthistorypath"], turned(HISTORY))
    write_csv(folder / "medication.csv.gz", ["patientunitstayid", "drugname", "drughiclseqno", "drugordercancelled"],
              turned(ORDERS))
    write_csv(folder / "admissiondrug.csv.gz", ["patientunitstayid", "drugname", "drughiclseqno"], turned(HOME))
    write_csv(folder / "allergy.csv.gz", ["patientunitstayid", "allergyname", "allergytype"], turned(ALLERGIES))
    (folder / "LICENSE.txt").write_text("ODC Open Database License (ODbL)\nthe whole text\n")
    return folder


def write_grocery(folder: Path) -> Path:
    """Items with one picture each, and a shop photo of the first two."""
    (folder / "iconic").mkdir(parents=True)
    (folder / "photos").mkdir()
    entries = []
    for number, (name, coarse, group) in enumerate(ITEMS):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(folder / "iconic" / f"{number:02d}.jpg")
        packet = "Nutrition per 100 gram:\n energi ca 45 kilokalori\n salt ca 0.1 gram" if group == "Packages" else ""
        entries.append({"class_id": number, "name": name, "coarse": coarse, "group": group, "information": packet,
                        "description": f"What {name} is like.", "iconic": f"iconic/{number:02d}.jpg"})
    (folder / "items.json").write_text(json.dumps(entries))
    for number in (0, 1):
        Image.new("RGB", (300, 200), (0, number, 0)).save(folder / "photos" / f"train_{number:02d}.jpg")
    lines = ["file,split,class_id", "photos/train_01.jpg,train,1", "photos/train_00.jpg,train,0"]
    (folder / "photos.csv").write_text("\n".join(lines) + "\n")
    (folder / "LICENSE.txt").write_text("MIT License\nthe whole text\n")
    return folder


def write_usda(path: Path) -> Path:
    """Made-up nutrients for each food that the map names for these items."""
    numbers = ["09501", "09003", "09040", "09148", "09150", "09326", "09112", "09016", "01077", "20038", "20033",
               "16139", "11124", "11529", "11477"]
    rows = [[number, *(str(round((3 * row + 7 * column) % 23 + column / 10, 2)) for column in range(len(NUTRIENTS)))]
            for row, number in enumerate(numbers)]
    rows[0][1] = ""  # golden delicious without its energy: the fallback food gives it
    write_csv(path, ["NDB_No", *(f"{start}_(unit)" for start in NUTRIENTS.values())], rows)
    return path


@pytest.fixture(scope="session")
def write_raw() -> Callable[..., Raw]:
    """Writes the three sources into a folder; ``reverse`` turns the rows of every eICU table around."""

    def write(folder: Path, reverse: bool = False) -> Raw:
        return Raw(write_eicu(folder / "eicu", reverse=reverse), write_grocery(folder / "grocery"),
                   write_usda(folder / "usda.csv.gz"))

    return write


@pytest.fixture
def raw(tmp_path: Path, write_raw: Callable[..., Raw]) -> Raw:
    """The three sources, freshly written."""
    return write_raw(tmp_path)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, write_raw: Callable[..., Raw]) -> Path:
    """A data set made from the three sources; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    raw = write_raw(folder)
    prepare_healthfood(raw.eicu, raw.grocery, raw.usda, folder / "healthfood", lambda line: None)
    return folder / "healthfood"
