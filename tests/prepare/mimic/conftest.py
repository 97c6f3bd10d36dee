"""Tiny folders in the layouts of MIMIC-III and MIMIC-IV, made up: 24 patients, 36 admissions."""
from __future__ import annotations

import csv
import gzip
import random
from pathlib import Path
from typing import Callable

import pytest

Rows = dict[str, list[list[str]]]
Write = Callable[..., Path]
PATIENTS = 24

HEADERS3 = {
    "PATIENTS": ["ROW_ID", "SUBJECT_ID", "GENDER", "DOB"],
    "ADMISSIONS": ["ROW_ID", "SUBJECT_ID", "HADM_ID", "ADMITTIME", "DISCHTIME", "ADMISSION_TYPE", "INSURANCE",
                   "LANGUAGE", "RELIGION", "MARITAL_STATUS", "ETHNICITY"],
    "DIAGNOSES_ICD": ["ROW_ID", "SUBJECT_ID", "HADM_ID", "SEQ_NUM", "ICD9_CODE"],
    "PROCEDURES_ICD": ["ROW_ID", "SUBJECT_ID", "HADM_ID", "SEQ_NUM", "ICD9_CODE"],
    "D_ICD_DIAGNOSES": ["ROW_ID", "ICD9_CODE", "SHORT_TITLE", "LONG_TITLE"],
    "D_ICD_PROCEDURES": ["ROW_ID", "ICD9_CODE", "SHORT_TITLE", "LONG_TITLE"],
    "PRESCRIPTIONS": ["ROW_ID", "SUBJECT_ID", "HADM_ID", "STARTDATE", "ENDDATE", "DRUG_TYPE", "DRUG", "NDC", "ROUTE"],
}
HEADERS4 = {
    "hosp/patients": ["subject_id", "gender", "anchor_age", "anchor_year", "anchor_year_group", "dod"],
    "hosp/admissions": ["subject_id", "hadm_id", "admittime", "dischtime", "deathtime", "admission_type",
                        "admission_location", "discharge_location", "insurance", "language", "marital_status", "race",
                        "hospital_expire_flag"],
    "hosp/diagnoses_icd": ["subject_id", "hadm_id", "seq_num", "icd_code", "icd_version"],
    "hosp/procedures_icd": ["subject_id", "hadm_id", "seq_num", "chartdate", "icd_code", "icd_version"],
    "hosp/d_icd_diagnoses": ["icd_code", "icd_version", "long_title"],
    "hosp/d_icd_procedures": ["icd_code", "icd_version", "long_title"],
    "hosp/prescriptions": ["subject_id", "hadm_id", "pharmacy_id", "starttime", "stoptime", "drug_type", "drug", "gsn",
                           "ndc", "prod_strength", "route"],
    "icu/icustays": ["subject_id", "hadm_id", "stay_id", "intime", "outtime"],
}
DRUGS = ["Furosemide", "Lisinopril", "Metoprolol Tartrate", "Warfarin", "D5W"]


def admissions() -> list[tuple[int, str, str, str]]:
    """Patient, admission, begin, end; every second patient has a second one, whose number is lower."""
    first = [(patient, f"{2000 + patient}", "2150-01-05 10:00:00", "2150-01-09 12:00:00")
             for patient in range(PATIENTS)]
    again = [(patient, f"{1000 + patient}", "2151-03-05 10:00:00", "2151-03-07 12:00:00")
             for patient in range(0, PATIENTS, 2)]
    return first + again


def _codes(place: int) -> list[str]:
    return ["4280", ("25000", "4019")[place % 2]]


def _rows3() -> Rows:
    visits = list(enumerate(admissions()))
    return {
        "PATIENTS": [[str(patient), str(patient), "FM"[patient % 2], "2090-06-01 00:00:00"]
                     for patient in range(PATIENTS)],
        "ADMISSIONS": [[str(n), str(patient), visit, begin, end, "EMERGENCY", "Medicare", "", "CATHOLIC", "SINGLE",
                        "WHITE"] for n, (patient, visit, begin, end) in visits],
        "DIAGNOSES_ICD": [[str(n), str(patient), visit, "1", code] for n, (patient, visit, *_) in visits
                          for code in _codes(n)],
        "PROCEDURES_ICD": [[str(n), str(patient), visit, "1", "3893"] for n, (patient, visit, *_) in visits if n % 3],
        "D_ICD_DIAGNOSES": [["1", "4280", "CHF", "Congestive heart failure"],
                            ["2", "25000", "DMII", "Diabetes mellitus"],
                            ["3", "99999", "None", "Never seen"]],
        "D_ICD_PROCEDURES": [["1", "3893", "Venous cath", "Venous catheterization"]],
        "PRESCRIPTIONS": [[str(n), str(patient), visit, begin, end, "MAIN", drug, "0", "PO"]
                          for n, (patient, visit, begin, end) in visits
                          for drug in (DRUGS[n % 4], DRUGS[(n + 1) % 4], "D5W")],
    }


def _rows4() -> Rows:
    visits = list(enumerate(admissions()))
    version = {False: ("4280", "9"), True: ("I509", "10")}
    return {
        "hosp/patients": [[str(patient), "FM"[patient % 2], "60", "2150", "2008 - 2010", ""]
                          for patient in range(PATIENTS)],
        "hosp/admissions": [[str(patient), visit, begin, end, "", "EW EMER.", "", "", "Medicare", "English", "SINGLE",
                             "WHITE", "0"] for _, (patient, visit, begin, end) in visits],
        "hosp/diagnoses_icd": [[str(patient), visit, "1", *version[n % 2 == 0]] for n, (patient, visit, *_) in visits],
        "hosp/procedures_icd": [[str(patient), visit, "1", "2150-01-06", "02HV33Z", "10"]
                                for n, (patient, visit, *_) in visits if n % 3],
        "hosp/d_icd_diagnoses": [["4280 ", "9", "Congestive heart failure"],
                                 ["I509", "10", "Heart failure, unspecified"]],
        "hosp/d_icd_procedures": [["02HV33Z", "10", "Insertion of infusion device"]],
        "hosp/prescriptions": [[str(patient), visit, "1", begin, end, "MAIN", drug, "", "", "", "PO"]
                               for n, (patient, visit, begin, end) in visits
                               for drug in (DRUGS[n % 4], DRUGS[(n + 1) % 4])],
        "icu/icustays": [[str(patient), visit, "1", begin, end] for _, (patient, visit, begin, end) in visits
                         if begin.startswith("2150")],
    }


def _write(folder: Path, headers: dict[str, list[str]], rows: Rows, *, ending: str = ".csv", lower: bool = False,
           seed: int | None = None) -> Path:
    """Writes the tables; ``seed`` shuffles their rows."""
    for name, header in headers.items():
        if name not in rows:
            continue
        path = folder / f"{name.lower() if lower else name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = list(rows[name])
        if seed is not None:
            random.Random(seed).shuffle(lines)
        with (gzip.open if ending.endswith(".gz") else open)(path, "wt", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([[column.lower() for column in header] if lower else header, *lines])
    return folder


@pytest.fixture
def rows3() -> Rows:
    """Rows of MIMIC-III's tables, for tests that change some."""
    return _rows3()


@pytest.fixture
def rows4() -> Rows:
    """Rows of MIMIC-IV's tables."""
    return _rows4()


@pytest.fixture
def write3(tmp_path: Path, rows3: Rows) -> Write:
    """``write3()`` writes a folder of MIMIC-III from ``rows3`` and gives it."""
    return lambda name="raw", **given: _write(tmp_path / name, HEADERS3, rows3, **given)


@pytest.fixture
def write4(tmp_path: Path, rows4: Rows) -> Write:
    """``write4()`` writes a folder of MIMIC-IV from ``rows4`` and gives it."""
    return lambda name="raw", **given: _write(tmp_path / name, HEADERS4, rows4, **given)
