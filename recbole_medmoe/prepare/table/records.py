"""Reads the tables that a mapping names."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

from ...errors import DataError
from ..visits.drugs import DrugMaps
from ..visits.frame import VisitTables
from ..visits.medications import Orders, item_column, ndc_column, read_orders
from ..visits.order import as_time, order_by_time
from ..visits.session import run, view
from .mapping import Coded, Mapping

__all__ = ["WAYS_OF", "profile_of", "read_coded", "read_given", "read_visits"]
# system of the medications -> what says which drug a row is; the first that knows it wins
WAYS_OF = {"name": ("name",), "rxnorm": ("rxnorm", "name"), "ndc": ("ndc", "name"), "atc": ("atc",)}
OLDEST = 120  # years; an age above is no age


def profile_of(mapping: Mapping) -> dict[str, str]:
    """Profile column -> type, in the order to write."""
    parts = [part for part in (mapping.patients, mapping.visits) if part]
    age = {"age": "float"} if mapping.patients and mapping.patients.born else {}
    numbers = {name: "float" for part in parts for name in part.numbers}
    return age | numbers | {name: "token" for part in parts for name in part.words}


def _view(tables: VisitTables, folder: Path, file: str, called: str, columns: dict[str, str | None]) -> str:
    """Makes a view of a file's columns under our names; a column that is None is NULL throughout."""
    wanted = [column for column in dict.fromkeys(columns.values()) if column is not None]
    view(tables.session, folder / file, f"{called}_file", wanted)
    cells = [f"CAST(NULL AS VARCHAR) AS {name}" if column is None else f'"{column.lower()}" AS {name}'
             for name, column in columns.items()]
    run(tables.session, f"CREATE OR REPLACE VIEW {called} AS SELECT {', '.join(cells)} FROM {called}_file")
    return called


def _cells(words: dict[str, str], numbers: dict[str, str]) -> list[str]:
    return [f"coalesce({name}, 'unknown') AS {name}" for name in words] + \
        [f"{_number(name)} AS {name}" for name in numbers]


def _number(column: str) -> str:
    """SQL: a text as a number, NULL where it is none; NaN and infinity, which DuckDB reads and sorts above all, are
    none."""
    return f"CASE WHEN isfinite(TRY_CAST({column} AS DOUBLE)) THEN TRY_CAST({column} AS DOUBLE) END"


def read_visits(tables: VisitTables, folder: Path, mapping: Mapping) -> None:
    """Makes ``visits`` and ``earlier``.

    Raises:
        DataError: a missing file or column, no visit, or a visit or patient that comes twice with other contents.
    """
    session, part = tables.session, mapping.visits
    source = _view(tables, folder, part.file, "given_visits", {
        "visit_id": part.visit, "patient_id": part.patient, "begins": part.begin, "ended": part.end,
        "number": part.order, **part.words, **part.numbers})
    times = f"{_number('number')} AS began, {_number('number')} AS ended" if part.order else \
        f"{as_time('begins', mapping.times)} AS began, {as_time('ended', mapping.times)} AS ended"
    cells = ", ".join(["visit_id", "patient_id", times, *_cells(part.words, part.numbers)])
    run(session, f"CREATE OR REPLACE TABLE timed AS SELECT DISTINCT {cells} FROM {source} WHERE visit_id IS NOT NULL")
    read = tables.number("SELECT count(*) FROM timed")
    run(session, "DELETE FROM timed WHERE patient_id IS NULL")
    if mapping.patients:
        _read_patients(tables, folder, mapping)
        run(session, "CREATE OR REPLACE TABLE timed AS SELECT timed.*, people.* EXCLUDE (patient_id) FROM timed "
                     "JOIN people USING (patient_id)")
    left = tables.number("SELECT count(*) FROM timed")
    tables.count("visits read", read)
    tables.count("visits of a known patient", left, read)
    if not left:
        raise DataError(f"{folder / part.file}: no visit of a known patient")
    _once(tables, "timed", "visit_id", folder / part.file)
    if profile_of(mapping).get("age"):
        years = f"datesub('year', {as_time('born', mapping.times)}, began)"
        run(session, f"CREATE OR REPLACE TABLE timed AS SELECT * EXCLUDE (born), CAST(CASE WHEN {years} BETWEEN 0 AND "
                     f"{OLDEST} THEN {years} END AS DOUBLE) AS age FROM timed")
    profile = "".join(f", {name}" for name in profile_of(mapping))
    run(session, f"CREATE OR REPLACE TABLE visits AS SELECT visit_id, patient_id{profile} FROM timed")
    run(session, "CREATE OR REPLACE TABLE spans AS SELECT visit_id, began, ended FROM timed")
    order_by_time(tables)


def _read_patients(tables: VisitTables, folder: Path, mapping: Mapping) -> None:
    """Makes ``people(patient_id, born, profile columns)``."""
    part = mapping.patients
    assert part is not None
    source = _view(tables, folder, part.file, "given_patients", {
        "patient_id": part.patient, "born": part.born, **part.words, **part.numbers})
    cells = ["patient_id", *(["born"] if part.born else []), *_cells(part.words, part.numbers)]
    run(tables.session, f"CREATE OR REPLACE TABLE people AS SELECT DISTINCT {', '.join(cells)} FROM {source} "
                        "WHERE patient_id IS NOT NULL")
    _once(tables, "people", "patient_id", folder / part.file)


def _once(tables: VisitTables, table: str, key: str, path: Path) -> None:
    rows, different = (tables.number(f"SELECT count({what}) FROM {table}") for what in ("*", f"DISTINCT {key}"))
    if rows != different:
        raise DataError(f"{path}: {rows - different} rows repeat a {key.replace('_', ' ')} with other contents; "
                        "each has one row")


def read_coded(tables: VisitTables, folder: Path, kind: str, part: Coded) -> None:
    """Adds the codes of one kind to ``codes`` and ``code_names``, which exist.

    Raises:
        DataError: a missing file or column.
    """
    source = _view(tables, folder, part.file, f"given_{kind}", {
        "visit_id": part.visit, "version": part.version, "plain": part.code, "name": part.name})
    code = "version || '_' || plain" if part.version else "plain"
    run(tables.session, f"INSERT INTO codes SELECT DISTINCT visit_id, '{kind}', {code} FROM {source} "
                        f"WHERE ({code}) IS NOT NULL AND visit_id IN (SELECT visit_id FROM visits)")
    run(tables.session, f"INSERT INTO code_names SELECT '{kind}', {code} AS code, min(name) FROM {source} "
                        f"WHERE name IS NOT NULL AND ({code}) IN (SELECT code FROM codes WHERE kind = '{kind}') "
                        "GROUP BY code")
    word = {"diag": "diagnoses", "proc": "procedures"}[kind]
    tables.count(f"{word} of visits, each once", tables.number(f"SELECT count(*) FROM codes WHERE kind = '{kind}'"),
                 tables.number(f"SELECT count(*) FROM {source}"))


def read_given(tables: VisitTables, folder: Path, mapping: Mapping, maps: DrugMaps, orders: Orders,
               progress: Callable[[str], None]) -> None:
    """Makes ``medications``, ``items`` and ``ingredients``.

    Raises:
        DataError: a missing file or column.
    """
    part = mapping.medications
    source = _view(tables, folder, part.file, "given_medications", {
        "visit_id": part.visit, "code": part.code, "drug": part.name, "route": part.route, "begins": part.begin,
        "ended": part.end})
    back = f"{as_time('ended', mapping.times)} < {as_time('begins', mapping.times)}"
    code = ndc_column("code") if part.system == "ndc" else "coalesce(code, '')"
    run(tables.session, f"""
        CREATE OR REPLACE VIEW orders AS
        SELECT visit_id, lower(coalesce(drug, '')) AS drug, lower(coalesce(route, '')) AS route, {code} AS code,
               NOT coalesce({back}, false) AS given FROM {source}""")
    if part.system != "local":
        read_orders(tables, "orders", maps, orders, progress)
        return
    _read_local(tables, source, back)


def _read_local(tables: VisitTables, source: str, back: str) -> None:
    """Codes as items; of several names of a code the commonest."""
    session = tables.session
    read = tables.number(f"SELECT count(*) FROM {source}")
    run(session, f"CREATE OR REPLACE TABLE local AS SELECT visit_id, {item_column('code')} AS item_id, drug "
                 f"FROM {source} JOIN visits USING (visit_id) WHERE code IS NOT NULL AND NOT coalesce({back}, false)")
    tables.count("medication rows of a visit, with a code, that do not end before they begin",
                 tables.number("SELECT count(*) FROM local"), read)
    run(session, """
        CREATE OR REPLACE TABLE items AS SELECT item_id, name, CAST(NULL AS VARCHAR) AS atc FROM (
            SELECT item_id, coalesce(drug, item_id) AS name, row_number() OVER (
                PARTITION BY item_id ORDER BY drug IS NULL, count(*) DESC, drug) AS place
            FROM local GROUP BY item_id, drug) WHERE place = 1""")
    run(session, "CREATE OR REPLACE TABLE ingredients AS SELECT DISTINCT visit_id, name AS ingredient, item_id "
                 "FROM local JOIN items USING (item_id)")
    run(session, "CREATE OR REPLACE TABLE medications AS SELECT DISTINCT visit_id, item_id FROM ingredients")
