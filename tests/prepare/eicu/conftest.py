"""A tiny folder in the layout of eICU, made up: 30 stays of 20 patients, with a few orders and codes each."""
from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Callable, Iterator

import pytest

from recbole_medmoe.prepare.eicu.stays import PROFILE
from recbole_medmoe.prepare.visits.frame import VisitTables
from recbole_medmoe.prepare.visits.session import open_session

HEADERS = {
    "patient": ["patientunitstayid", "uniquepid", "patienthealthsystemstayid", "unitvisitnumber",
                "hospitaldischargeyear", "unitdischargeoffset", "gender", "age", "ethnicity", "unitadmitsource",
                "unittype", "unitstaytype", "hospitalid"],
    "diagnosis": ["diagnosisid", "patientunitstayid", "diagnosisstring"],
    "treatment": ["treatmentid", "patientunitstayid", "treatmentstring"],
    "medication": ["medicationid", "patientunitstayid", "drugorderoffset", "drugstopoffset", "drugordercancelled",
                   "drugname", "drughiclseqno", "routeadmin"],
    "admissiondrug": ["admissiondrugid", "patientunitstayid", "drugname", "drughiclseqno"],
}
Tables = dict[str, list[list[str]]]


def stay(number: int, patient: int, **given: str) -> list[str]:
    """A row of ``patient``: one unit stay of a hospital stay of its own, discharged after a day in 2014."""
    row = dict(zip(HEADERS["patient"], [f"s{number}", f"00-{patient}", f"h{number}", "1", "2014", "1440", "Female",
                                        "60", "Caucasian", "Floor", "MICU", "admit", "73"]))
    assert set(given) <= set(row)
    return list((row | given).values())


def order(number: int, drug: str, **given: str) -> list[str]:
    """A row of ``medication``: ordered an hour after admission, stopped after two."""
    row = dict(zip(HEADERS["medication"], ["1", f"s{number}", "60", "120", "No", drug, "", "PO"]))
    assert set(given) <= set(row)
    return list((row | given).values())


def _made() -> Tables:
    """Patients 0 to 9 have two stays, in 2014 and 2015; every stay has aspirin, metoprolol and one of two others."""
    stays = [stay(number, number % 20, hospitaldischargeyear="2014" if number < 20 else "2015") for number in range(30)]
    return {
        "patient": stays,
        "diagnosis": [["1", f"s{number}", "renal|disorder of kidney|acute  renal failure"] for number in range(30)]
        + [["1", f"s{number}", "cardiovascular|shock / hypotension|sepsis|severe"] for number in range(0, 30, 2)],
        "treatment": [["1", f"s{number}", "renal|dialysis|hemodialysis"] for number in range(0, 30, 3)]
        + [["1", f"s{number}", "renal|medications|bicarbonate"] for number in range(30)],
        "medication": [order(number, drug) for number in range(30) for drug in (
            "ASPIRIN 81 MG PO CHEW", "METOPROLOL TARTRATE 25 MG PO TABS", ("LASIX", "LISINOPRIL 10 MG")[number % 2])],
        "admissiondrug": [],
    }


@pytest.fixture
def raw() -> Tables:
    """Rows of the five tables, for tests that change some."""
    return _made()


@pytest.fixture
def write_raw(tmp_path: Path) -> Callable[..., Path]:
    """``write_raw(raw)`` writes the folder ``tmp_path / "eicu"`` as gzipped CSV, with the demo's licence line."""
    def written(tables: Tables, gzipped: bool = True, licence: str = "ODC Open Database License") -> Path:
        folder = tmp_path / "eicu"
        folder.mkdir(exist_ok=True)
        (folder / "LICENSE.txt").write_text(f"{licence}\n")
        for name, header in HEADERS.items():
            path = folder / f"{name}.csv{'.gz' if gzipped else ''}"
            with (gzip.open if gzipped else open)(path, "wt", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([header, *tables[name]])
        return folder

    return written


@pytest.fixture
def visit_tables(tmp_path: Path) -> Iterator[VisitTables]:
    """Tables with nothing in them yet."""
    with open_session("500MB", tmp_path / "out") as session:
        yield VisitTables(session, dict(PROFILE))


@pytest.fixture
def make_stay() -> Callable[..., list[str]]:
    """``make_stay(1, 0, age="> 89")``: a row of ``patient``, stay 1 of patient 0."""
    return stay


@pytest.fixture
def make_order() -> Callable[..., list[str]]:
    """``make_order(1, "ASPIRIN", drugordercancelled="Yes")``: a row of ``medication`` for stay 1."""
    return order
