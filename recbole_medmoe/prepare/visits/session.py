"""Raw tables through DuckDB: read under a memory limit, every column as text, faults named with table and folder."""
from __future__ import annotations

import csv
import gzip
import re
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Sequence

import duckdb
from duckdb import DuckDBPyConnection as Session

from ...errors import DataError, nearest

__all__ = ["Session", "batches", "find_table", "open_session", "quoted", "rows", "run", "table", "table_header",
           "view"]
ENDINGS = (".csv", ".csv.gz", ".parquet")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", re.IGNORECASE)
# Lines of DuckDB's message that may be told: its others show the line at fault, which may be a patient's.
_TOLD = ("CSV Error on Line", "Expected Number of Columns", "Value with unterminated quote", "Invalid unicode")


@contextmanager
def open_session(memory: str, out: Path) -> Iterator[Session]:
    """A DuckDB session that keeps to ``memory`` and spills into a folder beside ``out`` that is gone at the end.

    One thread: the tables are gzipped and read by one anyway, and every result is ordered by its own columns.

    Args:
        memory: limit of DuckDB's memory, e.g. ``2GB`` or ``500MB``.
        out: the data set folder to be written; its parent is made where it is missing.

    Raises:
        DataError: a limit that is no size.
    """
    if not _MEMORY.fullmatch(memory.strip()):
        raise DataError(f"--memory {memory}: no size; right: --memory 2GB or --memory 500MB")
    parent = Path(out).absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".prepare-", dir=parent) as spill:
        session = duckdb.connect(config={"threads": 1, "memory_limit": memory.strip(), "temp_directory": spill,
                                         "preserve_insertion_order": False})
        try:
            session.execute("SET enable_progress_bar = false")
            yield session
        finally:
            session.close()


def run(session: Session, statement: str, parameters: Sequence[Any] | None = None) -> None:
    """Executes a statement; faults of files and memory are told to the user, never a line of a table.

    Raises:
        DataError: a damaged gzip, a line that is no CSV, a file that is not UTF-8, or memory that ran out.
    """
    with _told_faults():
        session.execute(statement, parameters)


def rows(session: Session, query: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a query that gives few; raises as ``run``."""
    with _told_faults():
        return session.execute(query, parameters).fetchall()


def batches(session: Session, query: str, size: int = 20_000) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query that gives many, ``size`` at a time; raises as ``run``."""
    with _told_faults():
        result = session.cursor().execute(query)
        while part := result.fetchmany(size):
            yield part


@contextmanager
def _told_faults() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as fault:
        raise DataError("the memory limit is too low for these tables; give more with --memory") from fault
    except duckdb.IOException as fault:
        raise DataError(f"a table cannot be read: {str(fault).splitlines()[0]}; restore the file") from fault
    except duckdb.InvalidInputException as fault:
        lines = str(fault).splitlines()
        told = [line[line.find(start):] for line in lines for start in _TOLD if start in line]
        file = next((line.split("=", 1)[1].strip() for line in lines if line.strip().startswith("file =")), "")
        if not told or not file:
            raise
        # `from None`: the message of the fault holds the line itself.
        raise DataError(f"{file}: {'; '.join(told)}; mend or restore the file") from None


def find_table(folder: Path, name: str) -> Path:
    """File of one table, whatever the case of its name: ``.csv``, ``.csv.gz`` or ``.parquet``.

    Args:
        folder: where the tables lie.
        name: the table's name, with a sub-folder where the layout has one, e.g. ``hosp/admissions``.

    Raises:
        DataError: the folder has no such file.
    """
    place = Path(folder) / Path(name).parent
    wanted = {f"{Path(name).name}{ending}".lower() for ending in ENDINGS}
    found = sorted(path for path in place.iterdir() if path.name.lower() in wanted) if place.is_dir() else []
    if not found:
        raise DataError(f"{folder}: no table '{name}' ({name}.csv or {name}.csv.gz, in any case); "
                        "give the folder that holds the raw tables")
    return found[0]


def table(session: Session, folder: Path, name: str, columns: Sequence[str], *,
          optional: Sequence[str] = ()) -> str:
    """Makes a view ``raw_<name>`` of a table of ``folder``: these columns in lower case, all as text.

    Args:
        folder: where the tables lie.
        name: the table's name in any case, e.g. ``PRESCRIPTIONS`` or ``hosp/prescriptions``.
        columns: columns that must be there, in any case.
        optional: columns that are NULL throughout where the table has none.

    Returns:
        The view's name, e.g. ``raw_prescriptions``.

    Raises:
        DataError: no such table or column (with the table it was looked for in), or a file that cannot be read.
    """
    return view(session, find_table(folder, name), f"raw_{Path(name).name.lower()}", columns, optional=optional)


def view(session: Session, path: Path, called: str, columns: Sequence[str], *, optional: Sequence[str] = ()) -> str:
    """Makes a view ``called`` of one file; ``columns`` and ``optional`` as in ``table``. Empty cells are NULL.

    Raises:
        DataError: a missing file or column, or a file that cannot be read.
    """
    header = table_header(session, path)
    if path.name.lower().endswith(".parquet"):
        source = f"read_parquet({quoted(str(path))})"
    else:
        types = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in header)
        # Nothing is guessed: a sniffer would take a broken line for the header, or a comma for a decimal point.
        source = (f"read_csv({quoted(str(path))}, header = true, auto_detect = false, delim = ',', quote = '\"', "
                  f"escape = '\"', columns = {{{types}}})")
    have = {name.strip().lower(): name for name in header}
    missing = [name for name in columns if name.lower() not in have]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}{nearest(missing[0], have)}")
    cells = [f'nullif(trim(CAST("{have[name.lower()]}" AS VARCHAR)), \'\') AS "{name.lower()}"'
             if name.lower() in have else f'CAST(NULL AS VARCHAR) AS "{name.lower()}"'
             for name in [*columns, *optional]]
    run(session, f"CREATE OR REPLACE VIEW {called} AS SELECT {', '.join(cells)} FROM {source}")
    return called


def table_header(session: Session, path: Path) -> list[str]:
    """Column names of a file, as they stand in it.

    Raises:
        DataError: a missing file, a damaged gzip, no UTF-8, no first line, or a column that comes twice.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.name.lower().endswith(".parquet"):
        return [str(row[0]) for row in rows(session, f"DESCRIBE SELECT * FROM read_parquet({quoted(str(path))})")]
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
        raise DataError(f"{path}: not a whole gzip file ({fault}); restore the file") from fault
    except UnicodeDecodeError as fault:
        raise DataError(f"{path}: not UTF-8; save it as UTF-8") from fault
    if not header:
        raise DataError(f"{path}: empty; its first line must name the columns")
    if len(set(name.strip().lower() for name in header)) < len(header):
        raise DataError(f"{path}: a column comes twice in its first line")
    return header


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
