"""Coded diagnoses, coded procedures and prescriptions of MIMIC."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

from ..visits.drugs import DrugMaps
from ..visits.frame import VisitTables
from ..visits.medications import Orders, ndc_column, read_orders
from ..visits.session import run, table
from .admissions import mimic_time

__all__ = ["read_codes3", "read_codes4", "read_prescriptions"]
_KINDS = {"diag": "diagnoses", "proc": "procedures"}


def read_codes3(tables: VisitTables, folder: Path) -> None:
    """Makes ``codes`` and ``code_names`` from MIMIC-III: ICD-9 codes, written ``icd9_4280``.

    Raises:
        DataError: a missing table or column.
    """
    _start(tables)
    for kind, name in _KINDS.items():
        source = table(tables.session, folder, f"{name}_icd", ["hadm_id", "icd9_code"])
        words = table(tables.session, folder, f"d_icd_{name}", ["icd9_code", "long_title"])
        _add(tables, kind, name, source, words, "'icd9_' || icd9_code")


def read_codes4(tables: VisitTables, folder: Path) -> None:
    """Makes ``codes`` and ``code_names`` from MIMIC-IV: ``icd9_4280`` and ``icd10_I509``, side by side as recorded.

    Raises:
        DataError: a missing table or column.
    """
    _start(tables)
    for kind, name in _KINDS.items():
        source = table(tables.session, folder, f"hosp/{name}_icd", ["hadm_id", "icd_code", "icd_version"])
        words = table(tables.session, folder, f"hosp/d_icd_{name}", ["icd_code", "icd_version", "long_title"])
        _add(tables, kind, name, source, words, "'icd' || icd_version || '_' || icd_code")


def _start(tables: VisitTables) -> None:
    run(tables.session, "CREATE OR REPLACE TABLE codes (visit_id VARCHAR, kind VARCHAR, code VARCHAR)")
    run(tables.session, "CREATE OR REPLACE TABLE code_names (kind VARCHAR, code VARCHAR, name VARCHAR)")


def _add(tables: VisitTables, kind: str, name: str, source: str, words: str, code: str) -> None:
    """Adds the codes of one kind and the words of those that occur."""
    session = tables.session
    run(session, f"INSERT INTO codes SELECT DISTINCT hadm_id, '{kind}', {code} FROM {source} "
                 f"WHERE ({code}) IS NOT NULL AND hadm_id IN (SELECT visit_id FROM visits)")
    run(session, f"INSERT INTO code_names SELECT '{kind}', {code} AS code, min(long_title) FROM {words} "
                 f"WHERE long_title IS NOT NULL AND ({code}) IN (SELECT code FROM codes WHERE kind = '{kind}') "
                 "GROUP BY code")
    kept = tables.number(f"SELECT count(*) FROM codes WHERE kind = '{kind}'")
    tables.count(f"{name} of visits, each once", kept, tables.number(f"SELECT count(*) FROM {source}"))
    named = tables.number(f"SELECT count(*) FROM codes WHERE kind = '{kind}' AND code IN (SELECT code FROM code_names "
                          f"WHERE kind = '{kind}')")
    tables.notes[f"{name} with a name"] = f"{named / max(1, kept):.1%}"


def read_prescriptions(tables: VisitTables, folder: Path, name: str, times: tuple[str, str], maps: DrugMaps,
                       orders: Orders, progress: Callable[[str], None]) -> None:
    """Makes ``medications``, ``items`` and ``ingredients``; a prescription counts for the whole admission.

    Args:
        name: the table, ``prescriptions`` or ``hosp/prescriptions``.
        times: its columns of beginning and end; a prescription that ends before it begins was not given, one without
            times counts.

    Raises:
        DataError: a missing table or column.
    """
    source = table(tables.session, folder, name, ["hadm_id", "drug", "ndc", "route", *times])
    began, ended = map(mimic_time, times)
    run(tables.session, f"""
        CREATE OR REPLACE VIEW orders AS
        SELECT hadm_id AS visit_id, lower(coalesce(drug, '')) AS drug, lower(coalesce(route, '')) AS route,
               {ndc_column('ndc')} AS code, NOT coalesce({ended} < {began}, false) AS given
        FROM {source}""")
    read_orders(tables, "orders", maps, orders, progress)
