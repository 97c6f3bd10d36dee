"""Raw tables through DuckDB: read under a memory limit, every column as text, faults named with table and folder."""
from __future__ import annotations

import csv
import errno
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

__all__ = ["Session", "batches", "find_table", "named", "open_session", "quoted", "quoted_file", "rows", "run",
           "spaced", "table", "table_header", "view"]
ENDINGS = (".csv", ".csv.gz", ".parquet")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", re.IGNORECASE)
# Lines of DuckDB's message that may be told: its others show the line at fault, which may be a patient's.
_TOLD = ("CSV Error on Line", "Expected Number of Columns", "Value with unterminated quote", "Invalid unicode",
         "Maximum line size", "The CSV Parser state machine reached an invalid state")
_WRITING = re.compile(r"Async write failed|Could not (write|truncate|sync)|Failed to create directory|No space left")
_REASON = re.compile(r'Could not \w+ file \\?"[^"]*": ([^"\\]+)')


@contextmanager
def open_session(memory: str, out: Path) -> Iterator[Session]:
    """A DuckDB session that keeps to ``memory`` and spills into a folder beside ``out`` that is gone at the end.

    One thread: the tables are gzipped and read by one anyway, and every result is ordered by its own columns.

    Args:
        memory: limit of DuckDB's memory, e.g. ``2GB`` or ``500MB``.
        out: the data set folder to be written; its parent is made where it is missing.

    Raises:
        DataError: a limit that is no size; a place that cannot be written or a full disk, also from within the block.
    """
    if not _MEMORY.fullmatch(memory.strip()):
        raise DataError(f"--memory {memory}: no size; right: --memory 2GB or --memory 500MB")
    parent = Path(out).absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".prepare-", dir=parent) as spill:
            session = duckdb.connect(config={"threads": 1, "memory_limit": memory.strip(), "temp_directory": spill,
                                             "preserve_insertion_order": False})
            try:
                session.execute("SET enable_progress_bar = false")
                session.execute("SET TimeZone = 'UTC'")  # times with a zone are the same on every machine
                yield session
            finally:
                session.close()
    except OSError as fault:
        raise DataError(f"{parent}: cannot be written ({fault.strerror or fault}); free space there or name another "
                        f"folder with --out. Nothing half-written is left, and a data set that was there is as it "
                        "was") from fault


def run(session: Session, statement: str, parameters: Sequence[Any] | None = None) -> None:
    """Executes a statement; faults of files and memory are told to the user, never a line of a table.

    Raises:
        DataError: a damaged file, a line that is no CSV, a file that is not UTF-8, or memory that ran out.
        OSError: what is written or spilled does not fit on the disk; ``open_session`` tells it with the folder.
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
        if "max_temp_directory_size" in str(fault):  # by default, what is free on the disk
            raise OSError(errno.ENOSPC, "no space left for what does not fit into --memory") from fault
        raise DataError("the memory limit is too low for these tables; give more with --memory") from fault
    except duckdb.IOException as fault:
        if _WRITING.search(str(fault)):
            reason = _REASON.search(str(fault))
            raise OSError(reason[1] if reason else str(fault).splitlines()[0]) from fault
        raise DataError(f"a table cannot be read: {str(fault).splitlines()[0]}; restore the file") from fault
    except duckdb.Error as fault:
        parquet = isinstance(fault, duckdb.InvalidInputException) and "parquet" in str(fault).splitlines()[0].lower()
        if type(fault) is duckdb.Error or parquet:
            # DuckDB tells a damage inside a Parquet file without the file, by an error of no kind.
            raise DataError(f"a Parquet file is damaged ({str(fault).splitlines()[0].strip()}); restore it") from fault
        lines = str(fault).splitlines()
        told = [line[line.find(start):] for line in lines for start in _TOLD if start in line]
        file = next((line.split("=", 1)[1].strip() for line in lines if line.strip().startswith("file =")), "")
        if not told or not file:
            raise
        # `from None`: the message of the fault holds the line itself.
        raise DataError(f"{_plain(file)}: {'; '.join(told)}; mend or restore the file") from None


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
    if _is_parquet(path):
        names, source = header, f"read_parquet({quoted_file(path)}, hive_partitioning = false)"
    else:
        # By place, since a header may leave a name out or have one twice. Nothing is guessed: a sniffer would take a
        # broken line for the header, or a comma for a decimal point.
        names = [f"c{place}" for place in range(len(header))]
        types = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
        source = (f"read_csv({quoted_file(path)}, header = true, auto_detect = false, delim = ',', quote = '\"', "
                  f"escape = '\"', hive_partitioning = false, columns = {{{types}}})")
    _check_columns(path, header, columns, optional)
    have = dict(zip((name.strip().lower() for name in header), names))
    cells = [f"nullif(trim(CAST({named(have[name])} AS VARCHAR)), '') AS {named(name)}" if name in have
             else f"CAST(NULL AS VARCHAR) AS {named(name)}"
             for name in dict.fromkeys(name.strip().lower() for name in [*columns, *optional])]
    run(session, f"CREATE OR REPLACE VIEW {called} AS SELECT {', '.join(cells)} FROM {source}")
    return called


def _check_columns(path: Path, header: Sequence[str], columns: Sequence[str], optional: Sequence[str]) -> None:
    """Refuses a header that lacks a column, or has one twice.

    A CSV file without a header line begins with a record: what stands there is told only where it names some of the
    columns, and so is a header.
    """
    there = [name.strip().lower() for name in header]
    wanted = dict.fromkeys(name.strip() for name in [*columns, *optional])
    missing = [name for name in dict.fromkeys(name.strip() for name in columns) if name.lower() not in there]
    if missing and (_is_parquet(path) or any(name.lower() in there for name in wanted)):
        raise DataError(f"{path}: no column {', '.join(missing)}{nearest(missing[0], filter(None, there))}")
    if missing:
        sign = next((sign for sign in ";\t|" if sign in header[0]), None) if len(header) == 1 else None
        told = f"; its cells are parted by {sign!r}, it seems: save the file with commas" if sign else \
            "; the first line must name the columns, parted by commas: add it where it is missing"
        raise DataError(f"{path}: no column {', '.join(missing)}, nor any other that is read. The first line has "
                        f"{len(header)} {'cell' if len(header) == 1 else 'cells'}{told}")
    twice = [name for name in wanted if there.count(name.lower()) > 1]
    if twice:
        raise DataError(f"{path}: column {', '.join(twice)} comes twice in its first line; rename one")


def table_header(session: Session, path: Path) -> list[str]:
    """Column names of a file, as they stand in it.

    Raises:
        DataError: a missing or damaged file, no UTF-8, or no first line.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if _is_parquet(path):
        query = f"DESCRIBE SELECT * FROM read_parquet({quoted_file(path)}, hive_partitioning = false)"
        try:
            return [str(row[0]) for row in session.execute(query).fetchall()]
        except duckdb.Error as fault:
            raise DataError(f"{path}: not a whole Parquet file ({str(fault).splitlines()[0].strip()}); restore the "
                            "file") from fault
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
        raise DataError(f"{path}: not a whole gzip file; restore the file") from fault
    except UnicodeDecodeError:
        # `from None`: that fault holds the bytes of the file.
        raise DataError(f"{path}: not UTF-8; save it as CSV in UTF-8") from None
    except csv.Error as fault:
        raise DataError(f"{path}: its first line is no CSV ({fault}); it must name the columns") from fault
    except OSError as fault:
        raise DataError(f"{path}: cannot be read ({fault.strerror or fault})") from fault
    if not header:
        raise DataError(f"{path}: empty; its first line must name the columns")
    return header


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(".parquet")


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted_file(path: Path) -> str:
    """A path as a literal of SQL; one with ``[``, ``*`` or ``?`` DuckDB takes for a pattern, and reads other files."""
    return quoted(re.sub(r"[\[*?]", r"[\g<0>]", str(path)))


def _plain(pattern: str) -> str:
    """The path of ``quoted_file`` as DuckDB's messages have it."""
    return re.sub(r"\[([\[*?])\]", r"\1", pattern)


def named(text: str) -> str:
    """A text as a name of SQL: a word of the language, a space or a quotation mark does no harm."""
    return '"' + text.replace('"', '""') + '"'


def spaced(text: str, by: str) -> str:
    """SQL: a text with ``by`` in place of each run of what parts or quotes the cells of a table: every sign that Python
    takes for a space or a line's end, control signs and quotation marks."""
    return f"regexp_replace({text}, '[\\x00-\\x20\\x7f\\x85\\p{{Z}}\"]+', '{by}', 'g')"
