"""Tables as Synthea writes them, a mapping of them, and the converter called on both."""
from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from recbole_medmoe.prepare import VisitOptions, prepare_table

Entries = dict[str, Any]
Tables = dict[str, list[list[str]]]
Prepare = Callable[..., dict[str, str]]
FEW = VisitOptions(min_item_visits=2)
DRUGS = [("314076", "lisinopril 10 MG Oral Tablet"), ("197361", "amlodipine 5 MG Oral Tablet"),
         ("309362", "clopidogrel 75 MG Oral Tablet")]


@pytest.fixture
def tables() -> Tables:
    """12 patients with two encounters each, as Synthea writes them."""
    visits = [(f"e{patient}{number}", f"q{patient:02d}", f"201{number}-03-05T10:00:00Z", f"201{number}-03-06T10:00:00Z")
              for patient in range(12) for number in (0, 1)]
    return {
        "patients": [["Id", "BIRTHDATE", "GENDER"], *([f"q{patient:02d}", "1950-06-01", "F"] for patient in range(12))],
        "encounters": [["Id", "START", "STOP", "PATIENT", "ENCOUNTERCLASS", "COST"],
                       *([visit, begin, end, patient, "inpatient", "12.5"] for visit, patient, begin, end in visits)],
        "conditions": [["ENCOUNTER", "CODE", "DESCRIPTION"],
                       *([visit, "38341003", "Hypertension"] for visit, *_ in visits)],
        "medications": [["START", "STOP", "ENCOUNTER", "CODE", "DESCRIPTION"],
                        *([begin, "", visit, *DRUGS[(place + more) % 3]]
                          for place, (visit, _, begin, _) in enumerate(visits) for more in (0, 1))],
    }


@pytest.fixture
def entries() -> Entries:
    """The mapping of these tables, for tests that change some."""
    return {
        "visits": {"file": "encounters.csv", "visit": "Id", "patient": "PATIENT", "begin": "START", "end": "STOP",
                   "words": {"encounter_class": "ENCOUNTERCLASS"}, "numbers": {"cost": "COST"}},
        "patients": {"file": "patients.csv", "patient": "Id", "born": "BIRTHDATE", "words": {"sex": "GENDER"}},
        "diagnoses": {"file": "conditions.csv", "visit": "ENCOUNTER", "code": "CODE", "name": "DESCRIPTION"},
        "medications": {"file": "medications.csv", "visit": "ENCOUNTER", "name": "DESCRIPTION", "code": "CODE",
                        "begin": "START", "end": "STOP"},
    }


@pytest.fixture
def prepare(tmp_path: Path, tables: Tables, entries: Entries) -> Prepare:
    """``prepare()`` writes tables and mapping and makes ``tmp_path / "own"`` of them; ``progress`` gets its lines."""
    def made(options: VisitOptions = FEW, progress: Callable[[str], None] = lambda line: None) -> dict[str, str]:
        for name, rows in tables.items():
            with open(tmp_path / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)
        (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(entries), encoding="utf-8")
        return prepare_table(tmp_path, tmp_path / "mapping.yaml", tmp_path / "own", progress, options)

    return made
