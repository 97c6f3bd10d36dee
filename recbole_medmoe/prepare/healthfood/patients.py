"""Reads the raw eICU tables with DuckDB and merges the stays of each patient into one set of raw facts."""
from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from ...errors import DataError
from ..visits.session import quoted_file
from .knowledge import medicine_patterns

HEIGHT_CM = (120.0, 220.0)
WEIGHT_KG = (30.0, 300.0)
BMI_KG_M2 = (12.0, 80.0)
AGREEMENT = 0.6  # share of a HICL code's named orders that must name one medicine before unnamed orders take it

TABLES = {
    "patient": ["patientunitstayid", "uniquepid", "gender", "age", "admissionheight", "admissionweight",
                "dischargeweight"],
    "diagnosis": ["patientunitstayid", "diagnosisstring"],
    "pastHistory": ["patientunitstayid", "pasthistorypath"],
    "medication": ["patientunitstayid", "drugname", "drughiclseqno", "drugordercancelled"],
    "admissiondrug": ["patientunitstayid", "drugname", "drughiclseqno"],
    "allergy": ["patientunitstayid", "allergyname", "allergytype"],
}


@dataclass
class RawPatient:
    """What the tables say of one patient over all stays; sets of raw strings, nothing judged yet."""

    digest: str  # SHA-256 of the patient's id: the only trace of it from here on
    age: int | None = None
    sex: str = "unknown"
    bmi: float | None = None
    diagnoses: set[str] = field(default_factory=set)
    history: set[str] = field(default_factory=set)
    medicines: set[str] = field(default_factory=set)
    allergies: set[tuple[str, bool]] = field(default_factory=set)  # entry, and whether it comes from the list of drugs


def find_table(folder: Path, name: str) -> Path:
    """File of one eICU table, whatever the case of its name, gzipped or not.

    Raises:
        DataError: the folder has no such file.
    """
    wanted = (f"{name}.csv.gz".lower(), f"{name}.csv".lower())
    found = sorted(path for path in folder.iterdir() if path.name.lower() in wanted) if folder.is_dir() else []
    if not found:
        raise DataError(f"{folder}: no {name}.csv or {name}.csv.gz; give the folder that holds the eICU tables as CSV")
    return found[0]


def open_tables(folder: Path) -> duckdb.DuckDBPyConnection:
    """One view per table with the columns that are needed, all as text.

    Raises:
        DataError: a file or a column is missing.
    """
    base = duckdb.connect()
    base.execute("SET threads = 1; SET memory_limit = '2GB'; SET enable_progress_bar = false")
    for table, columns in TABLES.items():
        path = find_table(folder, table)
        source = base.sql(f"SELECT * FROM read_csv({quoted_file(path)}, header = true, all_varchar = true, "
                          "hive_partitioning = false)")
        have = {column.lower() for column in source.columns}
        missing = [column for column in columns if column not in have]
        if missing:
            raise DataError(f"{path}: no column {', '.join(missing)}; the eICU layout has {', '.join(columns)}")
        base.register(f"raw_{table.lower()}", source)
        base.execute(f"CREATE VIEW {table.lower()} AS SELECT {', '.join(columns)} FROM raw_{table.lower()}")
    return base


def read_patients(folder: Path) -> tuple[list[RawPatient], dict[str, int]]:
    """All patients of an eICU folder in the order of their digests, and the rows read from each table.

    Raises:
        DataError: a table, a column or every patient is missing.
    """
    base = open_tables(folder)
    stays = base.execute("SELECT patientunitstayid, uniquepid FROM patient WHERE uniquepid IS NOT NULL").fetchall()
    if not stays:
        raise DataError(f"{find_table(folder, 'patient')}: no row; at least one stay with a uniquepid is needed")
    digests = {stay: hashlib.sha256(f"healthfood:{unique}".encode()).hexdigest() for stay, unique in stays}
    patients = {digest: RawPatient(digest) for digest in digests.values()}
    _read_bodies(base, digests, patients)
    for stay, value in base.execute("SELECT DISTINCT patientunitstayid, diagnosisstring FROM diagnosis").fetchall():
        if value and stay in digests:
            patients[digests[stay]].diagnoses.add(" ".join(value.split()))
    for stay, value in base.execute("SELECT DISTINCT patientunitstayid, pasthistorypath FROM pasthistory").fetchall():
        if value and stay in digests:
            patients[digests[stay]].history.add(" ".join(value.split()))
    entries = base.execute("SELECT DISTINCT patientunitstayid, allergyname, allergytype FROM allergy").fetchall()
    for stay, value, kind in entries:
        if value and stay in digests:
            patients[digests[stay]].allergies.add((" ".join(value.split()), kind == "Drug"))
    _read_medicines(base, digests, patients)
    counts = {name: base.execute(f"SELECT count(*) FROM {name.lower()}").fetchall()[0][0] for name in TABLES}
    base.close()
    return [patients[digest] for digest in sorted(patients)], counts


def _number(text: str | None, limits: tuple[float, float]) -> float | None:
    """A plausible number, else None: a height of 600 cm is a typing error, not a height."""
    if text is None or not text.strip():
        return None
    value = float(text)
    return value if limits[0] <= value <= limits[1] else None


def _median(values: list[float]) -> float | None:
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] if ordered else None  # the lower one: a value that was really measured


def _read_bodies(base: duckdb.DuckDBPyConnection, digests: dict[str, str], patients: dict[str, RawPatient]) -> None:
    """Age (the oldest one; ``> 89`` is 90), sex and body-mass index over the stays of each patient."""
    seen: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    rows = base.execute(f"SELECT {', '.join(TABLES['patient'])} FROM patient").fetchall()
    for stay, _, sex, age, height, weight, left in rows:
        if stay not in digests:
            continue
        body = seen[digests[stay]]
        if age and age.strip():
            body["age"].append(90 if ">" in age else int(age))
        if sex in ("Male", "Female"):
            body["sex"].append(sex.lower())
        measures = (("height", height, HEIGHT_CM), ("weight", weight, WEIGHT_KG), ("left", left, WEIGHT_KG))
        for key, text, limits in measures:
            value = _number(text, limits)
            if value is not None:
                body[key].append(value)
    for digest, body in seen.items():
        patient = patients[digest]
        patient.age = max(body["age"], default=None)
        patient.sex = min(body["sex"], default="unknown")
        height, weight = _median(body["height"]), _median(body["weight"] or body["left"])
        if height and weight:
            bmi = round(weight / (height / 100) ** 2, 1)
            patient.bmi = bmi if BMI_KG_M2[0] <= bmi <= BMI_KG_M2[1] else None


def _named(drug: str | None) -> list[str]:
    """Names of the texts that a raw drug name stands for; combinations give two."""
    return [name for name, pattern in medicine_patterns() if drug and pattern.search(drug)]


def _read_medicines(base: duckdb.DuckDBPyConnection, digests: dict[str, str], patients: dict[str, RawPatient]) -> None:
    """Medicines ordered (not cancelled) or taken before; unnamed orders take what their HICL code is mostly named."""
    rows = base.execute(
        "SELECT patientunitstayid, upper(trim(drugname)) AS drug, trim(drughiclseqno) AS hicl, count(*) AS n FROM ("
        " SELECT patientunitstayid, drugname, drughiclseqno FROM medication"
        " WHERE coalesce(drugordercancelled, 'No') <> 'Yes'"
        " UNION ALL SELECT patientunitstayid, drugname, drughiclseqno FROM admissiondrug"
        ") GROUP BY ALL ORDER BY ALL").fetchall()
    names = {drug: _named(drug) for drug in sorted({row[1] for row in rows if row[1]})}
    votes: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for _, drug, hicl, count in rows:
        if drug and hicl and hicl != "0":
            votes[hicl][tuple(names[drug])] += count
    learnt = {}
    for hicl, tally in votes.items():
        best, count = min(tally.items(), key=lambda item: (-item[1], item[0]))
        learnt[hicl] = best if count >= AGREEMENT * sum(tally.values()) else ()
    for stay, drug, hicl, _ in rows:
        if stay in digests:
            patients[digests[stay]].medicines.update(names[drug] if drug else learnt.get(hicl, ()))
