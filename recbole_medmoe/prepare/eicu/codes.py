"""Diagnosis and treatment paths of eICU as hierarchical codes: every prefix of a path is a code of its own."""
from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..visits.drugs import DrugMaps
from ..visits.frame import VisitTables
from ..visits.session import rows, run, table
from .treatments import names_drug

__all__ = ["read_codes"]


def read_codes(tables: VisitTables, folder: Path, treatments: str) -> None:
    """Makes ``codes`` and ``code_names``.

    A path ``renal|disorder of kidney|acute renal failure`` gives three codes. Codes are the paths as recorded, spaces
    mended. The words of a code are its levels from the third on; of the upper two levels, the last.

    Args:
        treatments: ``all``, ``non-drug`` (paths that name a drug or a class are left out whole) or ``none``.

    Raises:
        DataError: a missing table or column.
    """
    session = tables.session
    run(session, "CREATE OR REPLACE TABLE codes (visit_id VARCHAR, kind VARCHAR, code VARCHAR)")
    run(session, "CREATE OR REPLACE TABLE code_names (kind VARCHAR, code VARCHAR, name VARCHAR)")
    _read_paths(tables, folder, "diagnosis", "diag", None)
    if treatments != "none":
        _read_paths(tables, folder, "treatment", "proc", DrugMaps.read() if treatments == "non-drug" else None)


def _read_paths(tables: VisitTables, folder: Path, name: str, kind: str, leave_out: DrugMaps | None) -> None:
    """Adds the codes of one table; ``leave_out`` knows the drugs whose paths are left out."""
    session = tables.session
    source = table(session, folder, name, ["patientunitstayid", f"{name}string"])
    run(session, f"CREATE OR REPLACE TABLE recorded AS SELECT patientunitstayid AS visit_id, {name}string AS path "
                 f"FROM {source} WHERE {name}string IS NOT NULL AND patientunitstayid IN (SELECT visit_id FROM visits)")
    kept = told = 0
    levels = []
    for path, count in rows(session, "SELECT path, count(*) FROM recorded GROUP BY path ORDER BY path"):
        parts = [" ".join(level.split()) for level in path.split("|")]
        told += count
        if leave_out is None or not names_drug(parts, leave_out):
            kept += count
            levels += [(path, "|".join(parts[:depth]), ", ".join(parts[2:depth]) or parts[depth - 1])
                       for depth in range(1, len(parts) + 1) if parts[depth - 1]]
    session.register("given_levels", pd.DataFrame(levels, columns=["path", "code", "name"], dtype=object))
    run(session, f"INSERT INTO codes SELECT DISTINCT visit_id, '{kind}', code FROM recorded JOIN given_levels "
                 "USING (path)")
    run(session, f"INSERT INTO code_names SELECT '{kind}', code, min(name) FROM given_levels GROUP BY code")
    tables.count(f"{name} rows with a path", told, tables.number(f"SELECT count(*) FROM {source}"))
    if leave_out is not None:
        tables.count(f"{name} rows that name no drug or class", kept, told)
    session.unregister("given_levels")
