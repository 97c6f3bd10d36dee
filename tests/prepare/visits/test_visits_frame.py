"""Which visits and medications stay."""
from __future__ import annotations

from recbole_medmoe.prepare.visits.frame import Filters, keep_visits
from recbole_medmoe.prepare.visits.session import rows


def _left(tables, column, table):
    return {row[0] for row in rows(tables.session, f"SELECT DISTINCT {column} FROM {table}")}


def _keep(tables, *filters, **named):
    keep_visits(tables, Filters(*filters, **named), lambda line: None)
    return {count.filter: (count.kept, count.dropped) for count in tables.counts}


def _without_diagnosis(given, visit):
    given["codes"] = [row for row in given["codes"] if row[0] != visit]
    return given


def test_a_visit_without_a_diagnosis_goes(fill, visit_rows):
    tables = fill(_without_diagnosis(visit_rows, "raw4"))
    told = _keep(tables, 1)
    assert told["visits with a diagnosis"] == (59, 1)
    assert "raw4" not in _left(tables, "visit_id", "visits") | _left(tables, "visit_id", "medications")


def test_a_visit_without_a_diagnosis_may_stay(fill, visit_rows):
    tables = fill(_without_diagnosis(visit_rows, "raw4"))
    assert "visits with a diagnosis" not in _keep(tables, 1, diagnoses=False)
    assert "raw4" in _left(tables, "visit_id", "visits")


def test_a_visit_without_medications_goes(fill, visit_rows):
    visit_rows["medications"] = [row for row in visit_rows["medications"] if row[0] != "raw4"]
    tables = fill(visit_rows)
    _keep(tables, 1)
    assert len(_left(tables, "visit_id", "visits")) == 59


def test_what_is_left_keeps_every_rule(fill, visit_rows):
    """C is in too few visits; without it raw0 is too short; without raw0 B is in too few; A alone is too short."""
    visit_rows["medications"] = [("raw0", "A"), ("raw0", "C"), ("raw0", "B"), ("raw1", "A"), ("raw1", "B"),
                                 ("raw1", "D"), ("raw2", "A"), ("raw2", "D"), ("raw2", "E"), ("raw3", "A"),
                                 ("raw3", "D"), ("raw3", "E"), ("raw4", "D"), ("raw4", "E"), ("raw4", "A")]
    visit_rows["items"] = [(item, item, None) for item in "ABCDE"]
    tables = fill(visit_rows)
    told = _keep(tables, 2, 3)
    assert _left(tables, "visit_id", "visits") == {"raw2", "raw3", "raw4"}
    assert _left(tables, "item_id", "medications") == {"A", "D", "E"} == _left(tables, "item_id", "items")
    assert told["medications in at least 2 visits"] == (3, 2)
    assert told["visits with at least 3 of them"] == (3, 57)


def test_counts_tell_what_each_filter_kept_and_dropped(tables):
    told = _keep(tables, 21)
    assert told["visits with a diagnosis"] == (60, 0)
    assert told["medications in at least 21 visits"] == (3, 4)   # M0, M3, M6 are in all, the others in every third
    assert told["visits with at least 1 of them"] == (60, 0)
    assert told["patients with at least 2 visits"] == (30, None)
    assert told["visits with an earlier visit known"] == (30, None)
    assert told["medications of all visits"] == (180, None)


def test_rows_of_what_is_gone_go_too(fill, visit_rows):
    given = _without_diagnosis(visit_rows, "raw4")
    given["codes"].append(("raw4", "proc", "only there"))
    given["code_names"].append(("proc", "only there", "words"))
    given["medications"].append(("raw6", "rare"))
    given["items"].append(("rare", "rare", None))
    tables = fill(given)
    _keep(tables, 2)
    assert "raw5" not in _left(tables, "visit_id", "earlier")   # raw4 was the visit before it
    assert "rare" not in _left(tables, "item_id", "items")
    assert "only there" not in _left(tables, "code", "codes") | _left(tables, "code", "code_names")
