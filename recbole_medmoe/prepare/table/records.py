"""Reads the tables that a mapping names."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

from ...errors import DataError
from ..visits.drugs import DrugMaps
from ..visits.frame import VisitTables, profile_column
from ..visits.medications import Orders, item_column, ndc_column, read_orders
from ..visits.order import as_time, order_by_time, warn_unread
from ..visits.session import named, rows, run, view
from .mapping import Coded, Given, Mapping, Patients, Visits

__all__ = ["WAYS_OF", "profile_of", "read_coded", "read_given", "read_visits"]
# system of the medications -> what says which drug a row is; the first that knows it wins
WAYS_OF = {"name": ("name",), "rxnorm": ("rxnorm", "name"), "ndc": ("ndc", "name"), "atc": ("atc",)}
OLDEST = 120  # years; an age above is no age
_ATC = "[A-Z]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?"  # whole, or truncated at a level
_HALF = 0.5  # of the codes; where more are no ATC codes, the column is another one


def profile_of(mapping: Mapping) -> dict[str, str]:
    """Profile column -> type, in the order to write."""
    parts = [part for part in (mapping.patients, mapping.visits) if part]
    age = {"age": "float"} if mapping.patients and mapping.patients.born else {}
    numbers = {name: "float" for part in parts for name in part.numbers}
    return age | numbers | {name: "token" for part in parts for name in part.words}


def _view(tables: VisitTables, folder: Path, file: str, called: str, columns: dict[str, str | None]) -> str:
    """Makes a view of a file's columns under our names, as SQL has them; a column that is None is NULL throughout."""
    wanted = [column for column in dict.fromkeys(columns.values()) if column is not None]
    view(tables.session, folder / file, f"{called}_file", wanted)
    cells = [f"CAST(NULL AS VARCHAR) AS {name}" if column is None else f"{named(column.strip().lower())} AS {name}"
             for name, column in columns.items()]
    run(tables.session, f"CREATE OR REPLACE VIEW {called} AS SELECT {', '.join(cells)} FROM {called}_file")
    return called


def _profile(part: Visits | Patients) -> dict[str, str | None]:
    """Our name of each profile column of a table -> its column."""
    return {profile_column(name): column for name, column in (part.words | part.numbers).items()}


def _cells(part: Visits | Patients) -> list[str]:
    words, numbers = ([profile_column(name) for name in names] for names in (part.words, part.numbers))
    return [f"coalesce({name}, 'unknown') AS {name}" for name in words] + \
        [f"{_number(name)} AS {name}" for name in numbers]


def _number(column: str) -> str:
    """SQL: a text as a number, NULL where it is none; NaN and infinity, which DuckDB reads and sorts above all, are
    none."""
    return f"CASE WHEN isfinite(TRY_CAST({column} AS DOUBLE)) THEN TRY_CAST({column} AS DOUBLE) END"


def _warn(tables: VisitTables, source: str, where: str, part: Visits | Patients | Given, form: str | None,
          times: dict[str, str | None], numbers: dict[str, str | None], progress: Callable[[str], None]) -> None:
    """Warns of columns that are hardly times or numbers.

    Args:
        where: the table's entry of the mapping.
        form: form of its times.
        times: our name of each column of times -> its column, None where there is none; ``numbers`` likewise.
    """
    right = "ISO times (2024-01-31, 2024-01-31 14:05)" if form is None else f"times of the form {form!r}"
    asked = [(name, as_time(name, form), f"{part.file}, column {column}, are no {right}; name another column, or their "
              f"form with `times` in `{where}` of the mapping, e.g. times: '%d.%m.%Y %H:%M'")
             for name, column in times.items() if column]
    asked += [(name, _number(name), f"{part.file}, column {column}, are no numbers (right: 12.5) and count as missing")
              for name, column in numbers.items() if column]
    warn_unread(tables, source, asked, progress)


def read_visits(tables: VisitTables, folder: Path, mapping: Mapping, progress: Callable[[str], None]) -> None:
    """Makes ``visits`` and ``earlier``; warns of columns that are hardly times or numbers.

    Raises:
        DataError: a missing file or column, no visit, or a visit or patient that comes twice with other contents.
    """
    session, part = tables.session, mapping.visits
    source = _view(tables, folder, part.file, "given_visits", {
        "visit_id": part.visit, "patient_id": part.patient, "begins": part.begin, "ended": part.end,
        "number": part.order, **_profile(part)})
    form = mapping.form(part)
    _warn(tables, source, "visits", part, form, {"begins": part.begin, "ended": part.end},
          {"number": part.order, **{profile_column(name): column for name, column in part.numbers.items()}}, progress)
    times = f"{_number('number')} AS began, {_number('number')} AS ended" if part.order else \
        f"{as_time('begins', form)} AS began, {as_time('ended', form)} AS ended"
    cells = ", ".join(["visit_id", "patient_id", times, *_cells(part)])
    run(session, f"CREATE OR REPLACE TABLE timed AS SELECT DISTINCT {cells} FROM {source} WHERE visit_id IS NOT NULL")
    read = tables.number("SELECT count(*) FROM timed")
    run(session, "DELETE FROM timed WHERE patient_id IS NULL")
    if mapping.patients:
        _read_patients(tables, folder, mapping, mapping.patients, progress)
        run(session, "CREATE OR REPLACE TABLE timed AS SELECT timed.*, people.* EXCLUDE (patient_id) FROM timed "
                     "JOIN people USING (patient_id)")
    left = tables.number("SELECT count(*) FROM timed")
    tables.count("visits read", read)
    tables.count("visits of a known patient", left, read)
    if not left:
        of = f" that {mapping.patients.file} lists; do both tables name patients by the same ids?" if mapping.patients \
            else "; name the right columns in `visits` of the mapping"
        raise DataError(f"{folder / part.file}: none of {read:,} visits has a patient{of}")
    _once(tables, "timed", "visit_id", folder / part.file)
    if mapping.patients and mapping.patients.born:
        years = f"datesub('year', {as_time('born', mapping.form(mapping.patients))}, began)"
        run(session, f"CREATE OR REPLACE TABLE timed AS SELECT * EXCLUDE (born), CAST(CASE WHEN {years} BETWEEN 0 AND "
                     f"{OLDEST} THEN {years} END AS DOUBLE) AS {profile_column('age')} FROM timed")
    profile = "".join(f", {profile_column(name)}" for name in profile_of(mapping))
    run(session, f"CREATE OR REPLACE TABLE visits AS SELECT visit_id, patient_id{profile} FROM timed")
    run(session, "CREATE OR REPLACE TABLE spans AS SELECT visit_id, began, ended FROM timed")
    order_by_time(tables)


def _read_patients(tables: VisitTables, folder: Path, mapping: Mapping, part: Patients,
                   progress: Callable[[str], None]) -> None:
    """Makes ``people(patient_id, born, profile columns)``."""
    source = _view(tables, folder, part.file, "given_patients", {
        "patient_id": part.patient, "born": part.born, **_profile(part)})
    _warn(tables, source, "patients", part, mapping.form(part), {"born": part.born},
          {profile_column(name): column for name, column in part.numbers.items()}, progress)
    cells = ["patient_id", *(["born"] if part.born else []), *_cells(part)]
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
    """Makes ``medications``, ``items`` and ``ingredients``; warns of times and codes that are none.

    Raises:
        DataError: a missing file or column, or codes of system ``atc`` most of which are no ATC codes.
    """
    part = mapping.medications
    source = _view(tables, folder, part.file, "given_medications", {
        "visit_id": part.visit, "code": part.code, "drug": part.name, "route": part.route, "begins": part.begin,
        "ended": part.end})
    form = mapping.form(part)
    _warn(tables, source, "medications", part, form, {"begins": part.begin, "ended": part.end}, {}, progress)
    back = f"{as_time('ended', form)} < {as_time('begins', form)}"
    code = ndc_column("code") if part.system == "ndc" else "coalesce(code, '')"
    if part.system == "atc":
        _check_atc(tables, source, folder / part.file, progress)
        code = f"CASE WHEN regexp_full_match(upper(code), '{_ATC}') THEN code ELSE '' END"
    run(tables.session, f"""
        CREATE OR REPLACE VIEW orders AS
        SELECT visit_id, lower(coalesce(drug, '')) AS drug, lower(coalesce(route, '')) AS route, {code} AS code,
               NOT coalesce({back}, false) AS given FROM {source}""")
    if part.system != "local":
        read_orders(tables, "orders", maps, orders, progress)
        return
    _read_local(tables, source, back)


def _check_atc(tables: VisitTables, source: str, path: Path, progress: Callable[[str], None]) -> None:
    filled, odd = rows(tables.session, f"""
        SELECT count(code), count(code) FILTER (WHERE NOT regexp_full_match(upper(code), '{_ATC}')) FROM {source}""")[0]
    told = f"{path}: {odd:,} of {filled:,} codes of medications are no ATC codes (right: C09AA03, C09AA or C09A)"
    if odd > _HALF * filled:
        raise DataError(f"{told}; name another column, or another `system` in `medications` of the mapping: local (the "
                        "codes are the items), rxnorm, ndc or name")
    if odd:
        progress(f"warning: {told}; their rows have no drug and are left out")


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
