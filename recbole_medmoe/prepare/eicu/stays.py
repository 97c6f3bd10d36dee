"""Unit stays of eICU as visits: who they belong to, which came first as far as it is known, and the profile."""
from __future__ import annotations

from pathlib import Path

from ...errors import DataError
from ..visits.frame import VisitTables, profile_column
from ..visits.session import run, table

__all__ = ["PROFILE", "read_stays"]
PROFILE = {"age": "float", "sex": "token", "ethnicity": "token", "admission_source": "token", "unit_type": "token",
           "stay_type": "token", "hospital": "token"}
_COLUMNS = ["patientunitstayid", "uniquepid", "patienthealthsystemstayid", "unitvisitnumber", "hospitaldischargeyear",
            "unitdischargeoffset", "gender", "age", "ethnicity", "unitadmitsource", "unittype", "unitstaytype",
            "hospitalid"]
# Between hospital stays only the year of discharge is known, and the age in years parts stays of one year. Ages above
# 89 are one value ("> 89"), so two such stays of one year have no order.
_KNOWN = """
    e.hospital_stay = v.hospital_stay AND e.number < v.number
    OR e.hospital_stay <> v.hospital_stay AND (
        e.year < v.year OR e.year = v.year AND e.hospital_age < v.hospital_age)"""


def read_stays(tables: VisitTables, folder: Path) -> None:
    """Makes ``visits``, ``earlier`` and ``stays(visit_id, discharged)``, the minutes from admission to discharge.

    Within a hospital stay ``unitvisitnumber`` orders the unit stays; see ``_KNOWN`` for the rest. ``place`` extends
    that order to a line, by year, age, hospital stay and number.

    Raises:
        DataError: a missing table or column, no stay with a patient, or a stay that comes twice.
    """
    session = tables.session
    source = table(session, folder, "patient", _COLUMNS)
    read = tables.number(f"SELECT count(*) FROM {source}")
    run(session, f"""
        CREATE OR REPLACE TABLE stays AS
        SELECT patientunitstayid AS visit_id, uniquepid AS patient_id, patienthealthsystemstayid AS hospital_stay,
               TRY_CAST(unitvisitnumber AS INTEGER) AS number, TRY_CAST(hospitaldischargeyear AS INTEGER) AS year,
               TRY_CAST(unitdischargeoffset AS INTEGER) AS discharged,
               CASE WHEN age LIKE '>%' THEN 90 ELSE TRY_CAST(age AS DOUBLE) END AS age,
               CASE WHEN lower(gender) IN ('female', 'male') THEN lower(gender) ELSE 'unknown' END AS sex,
               coalesce(ethnicity, 'unknown') AS ethnicity, coalesce(unitadmitsource, 'unknown') AS admission_source,
               coalesce(unittype, 'unknown') AS unit_type, coalesce(unitstaytype, 'unknown') AS stay_type,
               CASE WHEN hospitalid IS NULL THEN 'unknown' ELSE 'h' || lpad(CAST(dense_rank() OVER (
                   ORDER BY sha256('hospital:' || hospitalid)) AS VARCHAR), 3, '0') END AS hospital
        FROM {source} WHERE patientunitstayid IS NOT NULL AND uniquepid IS NOT NULL""")
    stays = tables.number("SELECT count(*) FROM stays")
    tables.count("unit stays read", read)
    tables.count("unit stays with a patient id", stays, read)
    if not stays:
        raise DataError(f"{folder}: no unit stay with a uniquepid in the table 'patient'; give the folder of eICU's "
                        "CSV files")
    if stays != tables.number("SELECT count(DISTINCT visit_id) FROM stays"):
        raise DataError(f"{folder}: a patientunitstayid comes twice in the table 'patient'; each unit stay has one row")
    run(session, """
        CREATE OR REPLACE TABLE placed AS SELECT *, row_number() OVER (PARTITION BY patient_id ORDER BY
            year NULLS LAST, hospital_age NULLS LAST, sha256(coalesce(hospital_stay, '')), number NULLS LAST,
            sha256(visit_id)) AS place
        FROM (SELECT *, min(age) OVER (PARTITION BY patient_id, hospital_stay) AS hospital_age FROM stays)""")
    profile = ", ".join(f"{name} AS {profile_column(name)}" for name in PROFILE)
    run(session, f"CREATE OR REPLACE TABLE visits AS SELECT visit_id, patient_id, place, {profile} FROM placed")
    run(session, f"CREATE OR REPLACE TABLE earlier AS SELECT v.visit_id, e.visit_id AS earlier_id "
                 f"FROM placed v JOIN placed e ON v.patient_id = e.patient_id AND ({_KNOWN})")
