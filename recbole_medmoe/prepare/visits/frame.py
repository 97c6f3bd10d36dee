"""Visits between a converter and the writer: tables inside a DuckDB session, so that no record need fit in memory."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from ...atomic.manifest import Count
from .session import Session, rows, run

__all__ = ["Filters", "VisitTables", "keep_visits"]


@dataclass
class VisitTables:
    """What a converter hands to the writer: six tables that it has made in ``session``, ids as text, no row twice.

    - ``visits(visit_id, patient_id, place, ...)``: raw ids, ``place`` (a number that orders the visits of a patient for
      display) and the profile columns, text or DOUBLE;
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
    """

    session: Session
    profile: dict[str, str]
    counts: list[Count] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    not_loaded: tuple[str, ...] = ()

    def number(self, query: str) -> int:
        """The single number that a query gives."""
        return int(rows(self.session, query)[0][0])

    def count(self, told: str, kept: int, of: int | None = None) -> None:
        """Adds what a filter kept, and dropped where ``of`` says how many rows there were before it."""
        self.counts.append(Count(filter=told, kept=kept, dropped=None if of is None else of - kept))


@dataclass(frozen=True)
class Filters:
    """Which visits and medications stay.

    Args:
        min_item_visits: visits that a medication needs.
        min_items: medications that a visit needs.
        diagnoses: drop visits without a diagnosis.
    """

    min_item_visits: int = 10
    min_items: int = 1
    diagnoses: bool = True


def keep_visits(tables: VisitTables, filters: Filters, progress: Callable[[str], None]) -> None:
    """Drops what ``filters`` rules out, until every visit and every medication left keeps the rules; adds the counts.

    Dropping a visit takes it from its medications' counts, and dropping a medication from its visits' sets; hence the
    rounds. Codes, pairs of order and names of what is gone go too.
    """
    session = tables.session
    visits = tables.number("SELECT count(*) FROM visits")
    if filters.diagnoses:
        run(session, "DELETE FROM visits WHERE visit_id NOT IN (SELECT visit_id FROM codes WHERE kind = 'diag')")
        left = tables.number("SELECT count(*) FROM visits")
        tables.count("visits with a diagnosis", left, visits)
        visits = left
    _follow(tables, ("medications",))
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


def _follow(tables: VisitTables, names: tuple[str, ...]) -> None:
    """Drops the rows of visits that are gone."""
    for name in names:
        run(tables.session, f"DELETE FROM {name} WHERE visit_id NOT IN (SELECT visit_id FROM visits)")
