"""Visits between a converter and the writer: tables inside a DuckDB session, so that no record need fit in memory."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from ...atomic.manifest import Count
from .session import Session, named, rows, run

__all__ = ["Filters", "VisitTables", "keep_visits", "profile_column"]


@dataclass
class VisitTables:
    """What a converter hands to the writer: six tables that it has made in ``session``, ids as text, no row twice.

    - ``visits(visit_id, patient_id, place, ...)``: raw ids, ``place`` (a number that orders the visits of a patient for
      display) and the profile columns, text or DOUBLE, each called as ``profile_column`` says;
    - ``earlier(visit_id, earlier_id)``: a visit and a visit of the same patient that is KNOWN to be earlier;
    - ``codes(visit_id, kind, code)``: ``kind`` is ``diag`` or ``proc``; levels of a hierarchical code are separated by
      ``|`` and each prefix is a row of its own;
    - ``code_names(kind, code, name)``: the words of each code, for prompts;
    - ``medications(visit_id, item_id)``: the set of each visit;
    - ``items(item_id, name, atc)``: each medication with a name and, where it has one, its ATC code, else NULL.

    Args:
        session: the session.
        profile: profile column -> ``token`` or ``float``, in the order to write.
        counts: what every filter kept, in order.
        notes: what else is worth telling: share of rows that a map knew, and the like.
        not_loaded: profile columns that a run leaves alone unless its settings name them.
        split_by: how the default split parts the patients, a key of ``splits.SHARES``.
    """

    session: Session
    profile: dict[str, str]
    counts: list[Count] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    not_loaded: tuple[str, ...] = ()
    split_by: str = "hash"

    def number(self, query: str) -> int:
        """The single number that a query gives."""
        return int(rows(self.session, query)[0][0])

    def count(self, told: str, kept: int, of: int | None = None) -> None:
        """Adds what a filter kept, and dropped where ``of`` says how many rows there were before it."""
        self.counts.append(Count(filter=told, kept=kept, dropped=None if of is None else of - kept))


def profile_column(name: str) -> str:
    """SQL: the column of ``visits`` that holds a profile column; a user's name thus meets none of ours."""
    return named(f"profile {name}")


@dataclass(frozen=True)
class Filters:
    """Which visits, codes and medications stay.

    The last four are those of published cohorts and are applied once, before the others, in the order of the released
    pipelines (LEADER-pytorch at dbde80e): diagnoses are counted over all visits, medications over the visits of the
    patients that ``min_visits`` leaves.

    Args:
        min_item_visits: visits that a medication needs.
        min_items: medications that a visit needs.
        diagnoses: drop visits without a diagnosis.
        min_visits: visits with a medication that a patient needs.
        top_medications: how many medications stay, the commonest by visits, of equally common ones the first by code;
            None: all.
        top_diagnoses: how many diagnosis codes stay, likewise.
        procedures: drop visits without a procedure.
    """

    min_item_visits: int = 10
    min_items: int = 1
    diagnoses: bool = True
    min_visits: int = 1
    top_medications: int | None = None
    top_diagnoses: int | None = None
    procedures: bool = False


def keep_visits(tables: VisitTables, filters: Filters, progress: Callable[[str], None]) -> None:
    """Drops what ``filters`` rules out, until every visit and every medication left keeps the rules; adds the counts.

    Dropping a visit takes it from its medications' counts, and dropping a medication from its visits' sets; hence the
    rounds. Codes, pairs of order and names of what is gone go too.
    """
    session = tables.session
    _keep_cohort(tables, filters)
    if filters.diagnoses:
        _keep(tables, "visits with a diagnosis", "SELECT visit_id FROM codes WHERE kind = 'diag'")
    visits = tables.number("SELECT count(*) FROM visits")
    items = tables.number("SELECT count(DISTINCT item_id) FROM medications")
    before: tuple[int, int] | None = None
    now = (visits, tables.number("SELECT count(*) FROM medications"))
    while now != before:
        before = now
        run(session, "DELETE FROM medications WHERE item_id IN (SELECT item_id FROM medications GROUP BY item_id "
                     "HAVING count(*) < ?)", [filters.min_item_visits])
        run(session, "DELETE FROM visits WHERE visit_id NOT IN (SELECT visit_id FROM medications GROUP BY visit_id "
                     "HAVING count(*) >= ?)", [filters.min_items])
        _follow(tables, ("medications",))
        now = (tables.number("SELECT count(*) FROM visits"), tables.number("SELECT count(*) FROM medications"))
    kept = tables.number("SELECT count(DISTINCT item_id) FROM medications")
    tables.count(f"medications in at least {filters.min_item_visits} visits", kept, items)
    tables.count(f"visits with at least {filters.min_items} of them", now[0], visits)
    _follow(tables, ("codes", "earlier"))
    run(session, "DELETE FROM earlier WHERE earlier_id NOT IN (SELECT visit_id FROM visits)")
    run(session, "DELETE FROM items WHERE item_id NOT IN (SELECT item_id FROM medications)")
    run(session, "DELETE FROM code_names WHERE (kind, code) NOT IN (SELECT (kind, code) FROM codes)")
    for told, query in (("patients", "SELECT count(DISTINCT patient_id) FROM visits"),
                        ("patients with at least 2 visits", "SELECT count(*) FROM (SELECT patient_id FROM visits "
                                                            "GROUP BY patient_id HAVING count(*) > 1)"),
                        ("visits with an earlier visit known", "SELECT count(DISTINCT visit_id) FROM earlier"),
                        ("medications of all visits", "SELECT count(*) FROM medications")):
        tables.count(told, tables.number(query))
    progress(f"kept: {now[0]:,} visits, {kept:,} medications")


def _keep_cohort(tables: VisitTables, filters: Filters) -> None:
    """The filters of published cohorts, each once."""
    if filters.top_diagnoses is not None:
        _keep_commonest(tables, "codes", "code", "kind = 'diag'", filters.top_diagnoses, "diagnosis codes")
    if filters.min_visits > 1:
        _keep(tables, f"visits of patients with at least {filters.min_visits} visits that have a medication",
              "SELECT visit_id FROM visits WHERE patient_id IN (SELECT patient_id FROM visits WHERE visit_id IN "
              f"(SELECT visit_id FROM medications) GROUP BY patient_id HAVING count(*) >= {filters.min_visits:d})")
    if filters.top_medications is not None:
        _keep_commonest(tables, "medications", "item_id", "TRUE", filters.top_medications, "medications")
    if filters.procedures:
        _keep(tables, "visits with a procedure", "SELECT visit_id FROM codes WHERE kind = 'proc'")


def _keep(tables: VisitTables, told: str, chosen: str) -> None:
    """Keeps the visits, and their medications, that a query chooses; counts them."""
    visits = tables.number("SELECT count(*) FROM visits")
    run(tables.session, f"DELETE FROM visits WHERE visit_id NOT IN ({chosen})")
    tables.count(told, tables.number("SELECT count(*) FROM visits"), visits)
    _follow(tables, ("medications",))


def _keep_commonest(tables: VisitTables, table: str, column: str, where: str, most: int, word: str) -> None:
    """Keeps the rows of the commonest values of a column; counts the values."""
    values = f"SELECT count(DISTINCT {column}) FROM {table} WHERE {where}"
    before = tables.number(values)
    run(tables.session, f"DELETE FROM {table} WHERE {where} AND {column} NOT IN (SELECT {column} FROM {table} "
                        f"WHERE {where} GROUP BY {column} ORDER BY count(*) DESC, {column} LIMIT {most:d})")
    tables.count(f"the {most:,} commonest {word}", tables.number(values), before)


def _follow(tables: VisitTables, names: tuple[str, ...]) -> None:
    """Drops the rows of visits that are gone."""
    for name in names:
        run(tables.session, f"DELETE FROM {name} WHERE visit_id NOT IN (SELECT visit_id FROM visits)")
