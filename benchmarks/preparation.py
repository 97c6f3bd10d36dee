"""Preparation of MIMIC-III: memory and time at 1, 4 and 16 times a base size; 16 times is MIMIC-III's own size.

The records are made up, with MIMIC-III's tables, columns and numbers of rows per admission: 4,000 admissions at the
base size, 70 prescriptions, 11 diagnoses and 4 procedures each; some patients come back. Codes and drugs are drawn with
long tails, as real ones are, so that the vocabularies have a real size from the base on. Each size is prepared by the
command itself, in a process of its own, under ``--memory 500MB``. Counted: the whole command, from the start of Python
to the renamed folder. Peak memory is the process's largest resident size. Time is its processor time, which other work
on the machine hardly changes; the preparation has one thread.

Usage: python benchmarks/preparation.py [admissions at the base size]
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1, 4, 16)
MEMORY_MB, ALLOWED_MB = 500, 500
DRUGS = 700  # names of drugs in use
# Twice the records may take 1.2 times twice the time; peak memory may exceed the limit by what Python itself needs.
TARGETS = {"peak_mb_at_most": MEMORY_MB + ALLOWED_MB, "seconds_per_fourfold_at_most": 4.8}

# A number drawn with a long tail: most often near 0, below `top`; `salt` makes it another one for each column.
_TAIL = "CAST(floor({top} * pow((hash({key}, '{salt}') % 1000000) / 1000000.0, {power})) AS BIGINT)"
_STAY = "(TIMESTAMP '2150-01-01' + INTERVAL (hash(a, 'begin') % 1000000) MINUTE + INTERVAL ({shift}) DAY)"
TABLES = {
    "PATIENTS": """SELECT p AS ROW_ID, p AS SUBJECT_ID, CASE p % 2 WHEN 0 THEN 'F' ELSE 'M' END AS GENDER,
        TIMESTAMP '2080-01-01' + INTERVAL (hash(p) % 15000) DAY AS DOB, NULL AS DOD, NULL AS DOD_HOSP, NULL AS DOD_SSN,
        0 AS EXPIRE_FLAG FROM range({patients}) t(p)""",
    "ADMISSIONS": """SELECT a AS ROW_ID, a % {patients} AS SUBJECT_ID, {admission} AS HADM_ID,
        {begin} AS ADMITTIME, {end} AS DISCHTIME, NULL AS DEATHTIME, 'EMERGENCY' AS ADMISSION_TYPE,
        'EMERGENCY ROOM ADMIT' AS ADMISSION_LOCATION, 'HOME' AS DISCHARGE_LOCATION, 'Medicare' AS INSURANCE,
        'ENGL' AS LANGUAGE, 'CATHOLIC' AS RELIGION, 'MARRIED' AS MARITAL_STATUS, 'WHITE' AS ETHNICITY,
        NULL AS EDREGTIME, NULL AS EDOUTTIME, 'SEPSIS' AS DIAGNOSIS, 0 AS HOSPITAL_EXPIRE_FLAG,
        1 AS HAS_CHARTEVENTS_DATA FROM range({admissions}) t(a)""",
    "DIAGNOSES_ICD": """SELECT a * 11 + n AS ROW_ID, a % {patients} AS SUBJECT_ID, {admission} AS HADM_ID,
        n + 1 AS SEQ_NUM, lpad(CAST({code} AS VARCHAR), 5, '0') AS ICD9_CODE
        FROM range({admissions}) t(a), range(11) u(n)""",
    "PROCEDURES_ICD": """SELECT a * 4 + n AS ROW_ID, a % {patients} AS SUBJECT_ID, {admission} AS HADM_ID,
        n + 1 AS SEQ_NUM, lpad(CAST({procedure} AS VARCHAR), 4, '0') AS ICD9_CODE
        FROM range({admissions}) t(a), range(4) u(n)""",
    "D_ICD_DIAGNOSES": """SELECT c AS ROW_ID, lpad(CAST(c AS VARCHAR), 5, '0') AS ICD9_CODE,
        'Short ' || c AS SHORT_TITLE, 'Long title of the diagnosis with the number ' || c AS LONG_TITLE
        FROM range(6000) t(c)""",
    "D_ICD_PROCEDURES": """SELECT c AS ROW_ID, lpad(CAST(c AS VARCHAR), 4, '0') AS ICD9_CODE,
        'Short ' || c AS SHORT_TITLE, 'Long title of the procedure with the number ' || c AS LONG_TITLE
        FROM range(2000) t(c)""",
    "PRESCRIPTIONS": """SELECT a * 70 + n AS ROW_ID, a % {patients} AS SUBJECT_ID, {admission} AS HADM_ID,
        NULL AS ICUSTAY_ID, CAST({begin} AS DATE) AS STARTDATE, CAST({end} AS DATE) AS ENDDATE, 'MAIN' AS DRUG_TYPE,
        drug AS DRUG, drug AS DRUG_NAME_POE, drug AS DRUG_NAME_GENERIC, 'CODE' || number AS FORMULARY_DRUG_CD,
        lpad(CAST(number * 7 AS VARCHAR), 6, '0') AS GSN, lpad(CAST(number * 1000 + n % 5 AS VARCHAR), 11, '0') AS NDC,
        '10 mg Tablet' AS PROD_STRENGTH, '10' AS DOSE_VAL_RX, 'mg' AS DOSE_UNIT_RX, '1' AS FORM_VAL_DISP,
        'TAB' AS FORM_UNIT_DISP, ['PO', 'IV', 'IV DRIP', 'SC', 'PR', 'IH'][1 + n % 6] AS ROUTE
        FROM (SELECT a, n, {drug} AS number FROM range({admissions}) t(a), range(70) u(n)) JOIN drugs USING (number)""",
}


def write_records(folder: Path, admissions: int) -> None:
    """Writes made-up tables of MIMIC-III; a table is streamed to its file."""
    patients = int(admissions * .8)
    words = {"admissions": admissions, "patients": patients, "admission": "100000 + hash(a) % 100 + a * 100",
             "begin": _STAY.format(shift=f"1000 * (a // {patients})"),
             "end": _STAY.format(shift=f"1000 * (a // {patients}) + 1 + hash(a) % 20"),
             "code": _TAIL.format(top=6000, key="a * 11 + n", salt="d", power=2.5),
             "procedure": _TAIL.format(top=2000, key="a * 4 + n", salt="p", power=3),
             "drug": _TAIL.format(top=DRUGS, key="a * 70 + n", salt="m", power=3)}
    with duckdb.connect(config={"threads": 1, "memory_limit": "1GB"}) as session:
        names = ROOT / "recbole_medmoe" / "prepare" / "visits" / "drug_names.csv"
        session.execute("CREATE TABLE drugs AS SELECT row_number() OVER (ORDER BY sha256(ingredient || names)) - 1 AS "
                        "number, ingredient || ' 10 mg' AS drug FROM read_csv(?, all_varchar = true)", [str(names)])
        for name, query in TABLES.items():
            session.execute(f"COPY ({query.format(**words)}) TO '{folder / name}.csv' (HEADER true)")


def prepare(raw: Path, out: Path) -> tuple[float, float]:
    """Runs the command; gives its peak memory in MB and its processor seconds."""
    command = [sys.executable, str(ROOT / "run_recbole_medmoe.py"), "prepare", "mimic3", str(raw), "--out", str(out),
               "--memory", f"{MEMORY_MB}MB"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the command failed: {' '.join(command)}")
    unit = 2**20 if sys.platform == "darwin" else 2**10   # ru_maxrss is in bytes there, in KiB elsewhere
    return usage.ru_maxrss / unit, usage.ru_utime + usage.ru_stime


def main(base: int) -> int:
    """Prints a line per size and one JSON line; returns 0 where the targets are met."""
    peaks, seconds = [], []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder) / "raw"
            raw.mkdir()
            write_records(raw, base * size)
            weight = sum(path.stat().st_size for path in raw.iterdir()) / 2**20
            peak, spent = prepare(raw, Path(folder) / "made")
        peaks.append(peak)
        seconds.append(spent)
        print(f"{base * size:7,} admissions, {weight:6.0f} MB of CSV: peak {peak:5.0f} MB, "
              f"{spent:6.1f} s of processor time", flush=True)
    ratios = {"peak_mb_at_most": max(peaks),
              "seconds_per_fourfold_at_most": max(later / first for first, later in zip(seconds, seconds[1:]))}
    ok = all(ratios[name] <= target for name, target in TARGETS.items())
    print(json.dumps({"benchmark": "preparation", "ratios": {key: round(value, 2) for key, value in ratios.items()},
                      "targets": TARGETS, "memory_mb": MEMORY_MB, "peaks_mb": [round(peak) for peak in peaks],
                      "seconds": [round(value, 1) for value in seconds], "base": base, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000))
