from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

from recbole_medmoe.prepare.visits.frame import VisitTables
from recbole_medmoe.prepare.visits.order import as_time, order_by_time
from recbole_medmoe.prepare.visits.session import Session

TIME = datetime(2150, 3, 4)


def _order(session: Session, spans: dict[str, tuple[object, object]]) -> VisitTables:
    """Visits of one patient with these days of beginning and end."""
    times = {name: tuple(None if day is None else datetime(2150, 3, int(str(day))) for day in span)
             for name, span in spans.items()}
    given = pd.DataFrame([(name, *span) for name, span in times.items()], columns=["visit_id", "began", "ended"])
    session.register("given", given)
    session.execute("CREATE TABLE spans AS SELECT visit_id, CAST(began AS TIMESTAMP) AS began, "
                    "CAST(ended AS TIMESTAMP) AS ended FROM given")
    session.execute("CREATE TABLE visits AS SELECT visit_id, 'p' AS patient_id FROM spans")
    tables = VisitTables(session, {})
    order_by_time(tables)
    return tables


def _earlier(tables: VisitTables) -> set[tuple[str, str]]:
    return set(tables.session.execute("SELECT visit_id, earlier_id FROM earlier").fetchall())


def _places(tables: VisitTables) -> list[str]:
    return [visit for visit, in tables.session.execute("SELECT visit_id FROM visits ORDER BY place").fetchall()]


@pytest.mark.parametrize("text", ["2150-03-04", "2150-03-04 00:00:00", "2150-03-04T00:00:00Z",
                                  "2150-03-04T00:00:00.000+01:00"])
def test_iso_times_are_read(session: Session, text: str) -> None:
    assert session.execute(f"SELECT {as_time('t')} FROM (SELECT ? AS t)", [text]).fetchall() == [(TIME,)]


@pytest.mark.parametrize("text", ["3/4/50", "12/1/29 1:45", "soon", None])
def test_what_is_no_iso_time_is_none(session: Session, text: str | None) -> None:
    query = f"SELECT {as_time('t')} FROM (SELECT CAST(? AS VARCHAR) AS t)"
    assert session.execute(query, [text]).fetchall() == [(None,)]


def test_a_form_reads_other_times(session: Session) -> None:
    query = f"SELECT {as_time('t', '%d.%m.%Y')} FROM (SELECT '04.03.2150' AS t)"
    assert session.execute(query).fetchall() == [(TIME,)]


def test_what_ended_before_the_other_began_is_earlier(session: Session) -> None:
    tables = _order(session, {"c": (7, 9), "a": (1, 2), "b": (2, 5)})
    assert _earlier(tables) == {("b", "a"), ("c", "a"), ("c", "b")} and _places(tables) == ["a", "b", "c"]


def test_overlapping_visits_have_no_order(session: Session) -> None:
    tables = _order(session, {"a": (1, 6), "b": (5, 7)})
    assert not _earlier(tables)
    assert tables.notes["pairs of visits of a patient that times do not order"] == "1 of 1"


def test_visits_that_begin_together_have_no_order(session: Session) -> None:
    assert not _earlier(_order(session, {"a": (1, 1), "b": (1, 4)}))


def test_a_visit_without_a_time_has_no_order_and_comes_last(session: Session) -> None:
    tables = _order(session, {"a": (None, 2), "b": (3, 4), "c": (5, 6)})
    assert _earlier(tables) == {("c", "b")} and _places(tables) == ["b", "c", "a"]
    assert tables.notes["visits without a time of beginning"] == "1"


def test_without_an_end_the_beginnings_decide(session: Session) -> None:
    assert _earlier(_order(session, {"a": (1, None), "b": (3, 4)})) == {("b", "a")}


def test_a_visit_that_ends_before_it_begins_ends_when_it_begins(session: Session) -> None:
    tables = _order(session, {"a": (4, 1), "b": (3, 3), "c": (5, 6)})
    assert _earlier(tables) == {("a", "b"), ("c", "a"), ("c", "b")}
    assert tables.notes["visits that end before they begin"] == "1"
