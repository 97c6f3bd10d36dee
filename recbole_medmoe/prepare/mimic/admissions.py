"""Hospital admissions of MIMIC as visits, with their patients, times and profile."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

from ...errors import DataError
from ..visits.frame import VisitTables, profile_column
from ..visits.order import as_time, order_by_time, warn_unread
from ..visits.session import run, table

__all__ = ["PROFILE3", "PROFILE4", "mimic_time", "read_admissions3", "read_admissions4"]
PROFILE3 = {"age": "float", "sex": "token", "admission_type": "token", "insurance": "token", "language": "token",
            "religion": "token", "marital_status": "token", "ethnicity": "token"}
PROFILE4 = {"age": "float", "sex": "token", "admission_type": "token", "insurance": "token", "language": "token",
            "marital_status": "token", "race": "token"}
OLDEST = 90  # years; MIMIC hides ages above 89
_SPREADSHEET = "^([0-9]{1,2}/[0-9]{1,2}/)([0-9]{2})( [0-9:]+)?$"


def mimic_time(column: str) -> str:
    """SQL: a text as a time: as the files have it, or as a spreadsheet leaves it (``10/23/64 21:09``, month first).

    MIMIC moves its dates to 2100-2200, so a year of two digits is one of 2100-2199.
    """
    long = f"regexp_replace({column}, '{_SPREADSHEET}', '\\121\\2\\3')"
    return f"coalesce({as_time(column)}, try_strptime({long}, ['%m/%d/%Y %H:%M', '%m/%d/%Y %H:%M:%S', '%m/%d/%Y']))"


def _told(columns: dict[str, str]) -> str:
    return ", ".join(f"coalesce({column}, 'unknown') AS {name}" for name, column in columns.items())


def _sex(column: str) -> str:
    return f"CASE upper({column}) WHEN 'F' THEN 'female' WHEN 'M' THEN 'male' ELSE 'unknown' END AS sex"


def _warn(tables: VisitTables, source: str, name: str, columns: tuple[str, ...],
          progress: Callable[[str], None]) -> None:
    """Warns of columns that are hardly times."""
    warn_unread(tables, source, [
        (column, mimic_time(column), f"{name}, column {column}, are no times as MIMIC has them (2150-01-31 14:05:00); "
         "give the table as it was published") for column in columns], progress)


def read_admissions3(tables: VisitTables, folder: Path, progress: Callable[[str], None]) -> None:
    """Makes ``visits`` and ``earlier`` from MIMIC-III; an age is in whole years at admission, above 89 it is 90.

    ``progress`` is called with a warning for each column most of whose times cannot be read.

    Raises:
        DataError: a missing table or column, no admission, or one that comes twice.
    """
    tokens = [name for name in PROFILE3 if name not in ("age", "sex")]
    admissions = table(tables.session, folder, "admissions",
                       ["subject_id", "hadm_id", "admittime", "dischtime", *tokens])
    patients = table(tables.session, folder, "patients", ["subject_id", "gender", "dob"])
    _warn(tables, admissions, "admissions", ("admittime", "dischtime"), progress)
    _warn(tables, patients, "patients", ("dob",), progress)
    # A birth after the admission lost its century in a spreadsheet.
    born = f"""
        SELECT subject_id, {_sex('any_value(gender ORDER BY gender)')}, min({mimic_time('dob')}) AS dob
        FROM {patients} GROUP BY subject_id"""
    _take(tables, folder, f"""
        SELECT hadm_id AS visit_id, p.subject_id AS patient_id, began, ended,
               datesub('year', CASE WHEN dob > began THEN dob - INTERVAL 100 YEAR ELSE dob END, began) AS years, sex,
               {_told({name: name for name in tokens})}
        FROM (SELECT *, {mimic_time('admittime')} AS began, {mimic_time('dischtime')} AS ended FROM {admissions}) a
        LEFT JOIN ({born}) p USING (subject_id)""", PROFILE3)


def read_admissions4(tables: VisitTables, folder: Path, icu_only: bool, progress: Callable[[str], None]) -> None:
    """Makes ``visits`` and ``earlier`` from MIMIC-IV; ``anchor_age`` in ``anchor_year`` gives the age at admission.

    Args:
        icu_only: only admissions with a stay in an intensive-care unit (``icu/icustays``), as MIMIC-III has them.
        progress: as ``read_admissions3``.

    Raises:
        DataError: a missing table or column, no admission, or one that comes twice.
    """
    tokens = [name for name in PROFILE4 if name not in ("age", "sex")]
    admissions = table(tables.session, folder, "hosp/admissions",
                       ["subject_id", "hadm_id", "admittime", "dischtime", *tokens])
    patients = table(tables.session, folder, "hosp/patients", ["subject_id", "gender", "anchor_age", "anchor_year"])
    _warn(tables, admissions, "hosp/admissions", ("admittime", "dischtime"), progress)
    born = f"""
        SELECT subject_id, {_sex('any_value(gender ORDER BY gender)')},
               min(TRY_CAST(anchor_year AS INTEGER) - TRY_CAST(anchor_age AS INTEGER)) AS born
        FROM {patients} GROUP BY subject_id"""
    chosen = ""
    if icu_only:
        chosen = f"WHERE hadm_id IN (SELECT hadm_id FROM {table(tables.session, folder, 'icu/icustays', ['hadm_id'])})"
    _take(tables, folder, f"""
        SELECT hadm_id AS visit_id, p.subject_id AS patient_id, began, ended, year(began) - born AS years, sex,
               {_told({name: name for name in tokens})}
        FROM (SELECT *, {mimic_time('admittime')} AS began, {mimic_time('dischtime')} AS ended
              FROM {admissions} {chosen}) a LEFT JOIN ({born}) p USING (subject_id)""", PROFILE4)


def _take(tables: VisitTables, folder: Path, query: str, profile: dict[str, str]) -> None:
    """Makes the tables from a query (visit_id, patient_id, began, ended, years, profile columns without ``age``)."""
    session = tables.session
    run(session, f"CREATE OR REPLACE TABLE admitted AS SELECT DISTINCT * FROM ({query}) WHERE visit_id IS NOT NULL")
    read = tables.number("SELECT count(*) FROM admitted")
    run(session, "DELETE FROM admitted WHERE patient_id IS NULL")
    left, different = tables.number("SELECT count(*) FROM admitted"), \
        tables.number("SELECT count(DISTINCT visit_id) FROM admitted")
    tables.count("admissions read", read)
    tables.count("admissions of a known patient", left, read)
    if not left:
        raise DataError(f"{folder}: no admission of a patient of the table 'patients'; give the folder of MIMIC")
    if left != different:
        raise DataError(f"{folder}: {left - different} hadm_id come twice in the table 'admissions' with other "
                        "contents; each admission has one row")
    age = f"CASE WHEN years < 0 THEN NULL WHEN years >= {OLDEST} THEN {OLDEST} ELSE years END"
    columns = ", ".join(f"{f'CAST({age} AS DOUBLE)' if name == 'age' else name} AS {profile_column(name)}"
                        for name in profile)
    run(session, f"CREATE OR REPLACE TABLE visits AS SELECT visit_id, patient_id, {columns} FROM admitted")
    run(session, "CREATE OR REPLACE TABLE spans AS SELECT visit_id, began, ended FROM admitted")
    order_by_time(tables)
