"""Order of visits by their times: a visit is earlier than another only where it ended before the other began."""
from __future__ import annotations

from typing import Callable, Sequence

import duckdb

from ...errors import DataError
from .frame import VisitTables
from .session import Session, quoted, rows, run

__all__ = ["as_time", "check_form", "order_by_time", "warn_unread"]
_HALF = 0.5  # of the filled cells of a column


def as_time(column: str, form: str | None = None) -> str:
    """SQL: a text as a time without a zone, NULL where it is none.

    Args:
        column: a SQL expression.
        form: ``strptime`` form of the times; None: ISO dates and times, with or without ``T``, fractions and zone.
    """
    if form is not None:
        return f"CAST(try_strptime({column}, {quoted(form)}) AS TIMESTAMP)"
    # Without the test of the year, DuckDB reads 12/1/29 as a day of the year 12.
    iso = f"CASE WHEN regexp_matches({column}, '^[0-9]{{4}}-') THEN {column} END"
    zone = f"regexp_replace({iso}, '(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$', '')"
    return f"coalesce(TRY_CAST({iso} AS TIMESTAMP), TRY_CAST({zone} AS TIMESTAMP))"


def check_form(session: Session, form: str, told: str) -> None:
    """Refuses what is no ``strptime`` form; ``told`` names its place.

    Raises:
        DataError: an unknown letter, or no letter at all.
    """
    reason = "it has no letter with %"
    try:
        run(session, f"SELECT try_strptime('', {quoted(form)})")
    except duckdb.InvalidInputException as fault:
        reason = str(fault).splitlines()[0].split(": ")[-1]
    else:
        if "%" in form:
            return
    raise DataError(f"{told}: {form!r} is no form of times ({reason}); right: '%d.%m.%Y %H:%M' for 31.01.2024 14:05")


def warn_unread(tables: VisitTables, source: str, columns: Sequence[tuple[str, str, str]],
                progress: Callable[[str], None]) -> None:
    """Warns of each column of which over half of the filled cells cannot be read.

    Args:
        source: a view.
        columns: for each a SQL expression of its cells, one of what is read of them (NULL: nothing), and the sentence
            that follows the share, with the remedy.
        progress: called with one line per warning.
    """
    if not columns:
        return
    counts = ", ".join(f"count({cells}), count({read})" for cells, read, _ in columns)
    found = rows(tables.session, f"SELECT {counts} FROM {source}")[0]
    for place, (_, _, told) in enumerate(columns):
        filled, read = found[2 * place:2 * place + 2]
        if filled and (filled - read) / filled > _HALF:
            progress(f"warning: {(filled - read) / filled:.1%} of the cells of {told}")


def order_by_time(tables: VisitTables) -> None:
    """Makes ``earlier`` and gives ``visits`` its ``place`` from ``spans(visit_id, began, ended)``, a row for each.

    A visit without a beginning, or one that overlaps another, has no order to it and is no history of it; where only
    the end is missing the beginnings decide. A visit that ends before it begins is taken to end when it begins.
    """
    session = tables.session
    run(session, """
        CREATE OR REPLACE TABLE placed AS
        SELECT v.visit_id, v.patient_id, s.began, greatest(s.began, coalesce(s.ended, s.began)) AS ended,
               row_number() OVER (PARTITION BY v.patient_id ORDER BY s.began NULLS LAST, s.ended NULLS LAST,
                                  sha256(v.visit_id)) AS place
        FROM visits v JOIN spans s USING (visit_id)""")
    run(session, "CREATE OR REPLACE TABLE earlier AS SELECT v.visit_id, e.visit_id AS earlier_id FROM placed v "
                 "JOIN placed e ON v.patient_id = e.patient_id AND e.place < v.place AND e.began < v.began "
                 "AND e.ended <= v.began")
    run(session, "CREATE OR REPLACE TABLE visits AS SELECT v.*, p.place FROM visits v JOIN placed p USING (visit_id)")
    pairs, known, back = (tables.number(query) for query in (
        "SELECT coalesce(sum(n * (n - 1) // 2), 0) FROM (SELECT count(*) AS n FROM visits GROUP BY patient_id)",
        "SELECT count(*) FROM earlier", "SELECT count(*) FROM spans WHERE ended < began"))
    tables.notes["pairs of visits of a patient that times do not order"] = f"{pairs - known:,} of {pairs:,}"
    tables.notes["visits that end before they begin"] = f"{back:,}"
    tables.notes["visits without a time of beginning"] = \
        f"{tables.number('SELECT count(*) FROM spans WHERE began IS NULL'):,}"
