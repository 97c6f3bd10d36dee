"""Writes the data set folder of visits: made beside its place and put there whole, so that an error leaves no half."""
from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping

import yaml

from ...atomic import PARTS, TAKEN_FOR_MISSING, inter_path, replace_folder, restore_folder, write_manifest
from ...errors import DataError
from ...paths import EXAMPLE, properties_dir
from .document import About, readme, statistic_rows
from .frame import VisitTables, profile_column
from .session import quoted, run, spaced
from .session import rows as rows_of
from .splits import DEFAULT_SPLIT, make_splits
from .text import write_visit_texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_out", "write_visits"]
DDI, DDI_LICENCE = "ddi.csv", "LICENSE-ddi.txt"


def check_out(out: Path) -> None:
    """Refuses a folder that is there and is no data set of that name; converters call it before they read anything.

    A data set that a killed run left aside is put back first.

    Raises:
        DataError: a file, a folder with other content, or a name that no data set can have.
    """
    restore_folder(out)
    if out.exists() and not (out / f"{out.name}.inter").is_file() and (out.is_file() or any(out.iterdir())):
        raise DataError(f"{out}: is there already and is no data set called {out.name}; name another folder with --out")
    if "." in out.name or not out.name.strip():
        raise DataError(f"{out}: a data set's name has no dot, since dots part the names of its files; "
                        "name another folder with --out")
    if out.name == EXAMPLE:
        raise DataError(f"{out}: RecBole reads its own data set under the name {EXAMPLE}, wherever yours lies; name "
                        "another folder with --out")


def write_visits(tables: VisitTables, out: Path, about: About, *, ddi: pd.DataFrame | None = None,
                 progress: Callable[[str], None]) -> dict[str, str]:
    """Makes the data set folder from ``tables``; equal tables give equal bytes, whatever the order of their rows.

    Patients and visits get tokens ``p0001``... and ``v0001``... in the order of the SHA-256 of their raw ids: no raw id
    is written. A ``features/`` folder already there is kept (banks know the content they were made from). A data set of
    credentialed records is for its owner alone (mode 0700).

    Args:
        tables: the converter's tables, after ``keep_visits``.
        out: the data set folder, named like the data set; one that is there already is replaced.
        about: title, source, licence, command and words of the README.
        ddi: interacting pairs (item_a, item_b, severity), with the licence of their list in ``attrs["licence"]`` where
            it has one that is known; None: no list.

    Returns:
        What to print, in order: each filter with what it kept, the notes, the statistics, each split with its rows.

    Raises:
        DataError: ``out`` holds something else, too few patients are left, or a code that would be read as missing.
        OSError: a full disk; the converters' ``open_session`` tells it with the folder.
    """
    out = Path(out).absolute()
    check_out(out)
    _check_left(tables)
    _check_tokens(tables)
    _make_tokens(tables)
    if ddi is not None:
        _take_ddi(tables, ddi)
    splits = make_splits(tables)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        made = Path(temporary) / out.name
        made.mkdir(mode=0o777 if about.is_open else 0o700)
        _write_sides(tables, made)
        rows = _write_interactions(tables, splits, made)
        progress("atomic files and splits written")
        write_visit_texts(tables, about.procedures, made)
        run(tables.session, _copy(f"SELECT kind, {_token('code')} AS code, min(name) AS name FROM code_names "
                                  "GROUP BY ALL ORDER BY ALL", made / "codes.csv", ","))
        if ddi is not None:
            run(tables.session, _copy("SELECT item_a, item_b, severity FROM ddi ORDER BY ALL", made / DDI, ","))
            if ddi.attrs.get("licence"):
                (made / DDI_LICENCE).write_text(ddi.attrs["licence"], encoding="utf-8")
        _write_settings(tables, made)
        facts = statistic_rows(tables, ddi is not None)
        (made / "README.md").write_text(readme(out.name, tables, about, facts, splits, rows), encoding="utf-8")
        for name, text in about.licences.items():
            (made / name).write_text(text, encoding="utf-8")
        if (out / "features").is_dir():
            shutil.copytree(out / "features", made / "features")
        write_manifest(made, name=out.name, title=about.title, source=about.source, licence=about.licence,
                       command=about.command, counts=[count.model_dump(exclude_none=True) for count in tables.counts],
                       splits=splits, default_split=DEFAULT_SPLIT, derived_from_credentialed=not about.is_open)
        replace_folder(made, out)
    counts = {count.filter: f"{count.kept:,}" for count in tables.counts}
    told = {f"split {split}: train / valid / test rows": " / ".join(f"{rows[split, part]:,}" for part in PARTS)
            for split in splits}
    return {**counts, **tables.notes, **facts, **told}


def _check_left(tables: VisitTables) -> None:
    """Refuses tables without a visit, and tells where they went: it is most often a wrong column of ids."""
    if tables.number("SELECT count(*) FROM visits"):
        return
    last = max((place for place, count in enumerate(tables.counts) if count.kept), default=0)
    steps = "; ".join(f"{count.filter}: {count.kept:,}" for count in tables.counts[:last + 2])
    raise DataError(f"no visit is left. What each step kept: {steps}. Do all tables name visits and patients by the "
                    "same ids? If so, give more records or loosen the filters (--min-item-visits, --min-items)")


def _check_tokens(tables: VisitTables) -> None:
    """Refuses codes such as ``NA``: pandas, and so RecBole, would drop their rows without a word."""
    missing = ", ".join(quoted(word) for word in TAKEN_FOR_MISSING)
    for table, column in (("items", "item_id"), ("codes", "code")):
        found = rows_of(tables.session,
                        f"SELECT DISTINCT {column} FROM {table} WHERE {column} IN ({missing}) ORDER BY 1")
        if found:
            raise DataError(f"{table} called {', '.join(repr(row[0]) for row in found)}: a reader of tables takes this "
                            "for a missing value and drops its rows; give it another name in the raw tables, or leave "
                            "it out")


def _make_tokens(tables: VisitTables) -> None:
    """Makes ``patient_tokens(patient_id, patient)`` and ``visit_tokens(visit_id, token, visit_no)``."""
    for table, source, key, token, letter in (("patient_tokens", "visits", "patient_id", "patient", "p"),
                                              ("visit_ids", "visits", "visit_id", "token", "v")):
        width = max(4, len(str(tables.number(f"SELECT count(DISTINCT {key}) FROM {source}"))))
        run(tables.session, f"""
            CREATE OR REPLACE TABLE {table} AS SELECT {key}, '{letter}' || lpad(CAST(row_number() OVER (
                ORDER BY sha256('{key}:' || {key}), {key}) AS VARCHAR), {width}, '0') AS {token}
            FROM (SELECT DISTINCT {key} FROM {source})""")
    run(tables.session, """
        CREATE OR REPLACE TABLE visit_tokens AS SELECT visit_id, token,
            row_number() OVER (PARTITION BY patient_id ORDER BY place, token) AS visit_no
        FROM visit_ids JOIN visits USING (visit_id)""")


def _copy(query: str, path: Path, delimiter: str = "\t") -> str:
    """Statement that writes a query's rows, ordered by the query itself."""
    plain = ", QUOTE '', ESCAPE ''" if delimiter == "\t" else ""  # an atomic file quotes nothing
    return f"COPY ({query}) TO {quoted(str(path))} (FORMAT csv, HEADER true, DELIMITER '{delimiter}'{plain})"


def _cell(expression: str, name: str, kind: str) -> str:
    """Column of an atomic file: no tab, line break or quotation mark, whole numbers without ``.0``."""
    if kind == "float":
        cell = (f"CASE WHEN {expression} = floor({expression}) THEN coalesce(CAST(TRY_CAST({expression} AS BIGINT) AS "
                f"VARCHAR), CAST({expression} AS VARCHAR)) ELSE CAST({expression} AS VARCHAR) END")
    elif kind == "token":
        cell = f"trim({spaced(expression, ' ')})"
    else:
        cell = expression
    return f'{cell} AS "{name}:{kind}"'


def _token(code: str) -> str:
    """A code as one part of a sequence: spaces, which part sequences, become ``_``."""
    return spaced(code, "_")


def _write_sides(tables: VisitTables, out: Path) -> None:
    """``.user`` and ``.item``."""
    session = tables.session
    run(session, f"""
        CREATE OR REPLACE TABLE code_lists AS
        SELECT visit_id, string_agg(code, ' ' ORDER BY code) FILTER (WHERE kind = 'diag') AS diag,
               string_agg(code, ' ' ORDER BY code) FILTER (WHERE kind = 'proc') AS proc
        FROM (SELECT DISTINCT visit_id, kind, {_token('code')} AS code FROM codes) GROUP BY visit_id""")
    run(session, """
        CREATE OR REPLACE TABLE earlier_lists AS
        SELECT e.visit_id, string_agg(t.token, ' ' ORDER BY t.visit_no) AS earlier
        FROM earlier e JOIN visit_tokens t ON e.earlier_id = t.visit_id GROUP BY e.visit_id""")
    columns = [_cell("t.token", "visit_id", "token"), _cell("patient", "patient_id", "token"),
               _cell("t.visit_no", "visit_no", "float"), _cell("earlier", "earlier", "token_seq"),
               _cell("diag", "diag", "token_seq"), _cell("proc", "proc", "token_seq"),
               *(_cell(f"v.{profile_column(name)}", name, kind) for name, kind in tables.profile.items())]
    run(session, _copy(f"SELECT {', '.join(columns)} FROM visits v JOIN visit_tokens t USING (visit_id) "
                       "JOIN patient_tokens USING (patient_id) LEFT JOIN code_lists USING (visit_id) "
                       "LEFT JOIN earlier_lists USING (visit_id) ORDER BY t.token", out / f"{out.name}.user"))
    columns = [_cell(name, name, "token") for name in ("item_id", "name", "atc")]
    run(session, _copy(f"SELECT {', '.join(columns)} FROM items ORDER BY item_id", out / f"{out.name}.item"))


def _write_interactions(tables: VisitTables, splits: Mapping[str, str], out: Path) -> dict[tuple[str, str], int]:
    """``.inter`` and the triples of all splits; gives the number of rows by split and part."""
    columns = ", ".join((_cell("t.token", "visit_id", "token"), _cell("item_id", "item_id", "token")))
    source = f"SELECT {columns} FROM medications m JOIN visit_tokens t USING (visit_id)"
    run(tables.session, _copy(f"{source} ORDER BY ALL", out / f"{out.name}.inter"))
    rows = {}
    for split in splits:
        for part in PARTS:
            chosen = f"JOIN parts p USING (visit_id) WHERE p.split = '{split}' AND p.part = '{part}'"
            run(tables.session, _copy(f"{source} {chosen} ORDER BY ALL", inter_path(out, split, part)))
            rows[split, part] = tables.number(f"SELECT count(*) FROM medications m {chosen}")
    return rows


def _take_ddi(tables: VisitTables, ddi: pd.DataFrame) -> None:
    """Makes the table ``ddi``: pairs of items of the data set, each once, the first name before the second."""
    tables.session.register("given_ddi", ddi[["item_a", "item_b", "severity"]])
    run(tables.session, "CREATE OR REPLACE TABLE ddi AS SELECT DISTINCT least(item_a, item_b) AS item_a, "
                        "greatest(item_a, item_b) AS item_b, severity FROM given_ddi WHERE item_a <> item_b "
                        "AND item_a IN (SELECT item_id FROM items) AND item_b IN (SELECT item_id FROM items)")


def _write_settings(tables: VisitTables, out: Path) -> None:
    """``<name>.yaml``: task, id columns and what a run loads; not where properties/ says the same under this name."""
    profile = [name for name in tables.profile if name not in tables.not_loaded]
    # Ids and order are read by the visit models from the file itself; as features they would tell who is asked for.
    loaded = {"inter": ["visit_id", "item_id"], "item": ["item_id"], "user": ["visit_id", "diag", "proc", *profile]}
    settings: dict[str, Any] = {"task": "medication", "USER_ID_FIELD": "visit_id", "ITEM_ID_FIELD": "item_id",
                                "load_col": loaded}
    shipped = properties_dir() / "dataset" / f"{out.name}.yaml"
    if shipped.is_file() and settings.items() <= yaml.safe_load(shipped.read_text(encoding="utf-8")).items():
        return
    (out / f"{out.name}.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
