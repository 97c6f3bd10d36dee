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


def _cohort_rows(given):
    """q0 has two visits with a medication, q1 one of two; only q1's visits have D2, which is commoner than D1."""
    given["visits"] = [("a", "q0", 0, 50.0, "female"), ("b", "q0", 1, 50.0, "female"),
                       ("c", "q1", 0, 50.0, "female"), ("d", "q1", 1, 50.0, "female"), ("e", "q2", 0, 50.0, "female")]
    given["earlier"] = [("b", "a"), ("d", "c")]
    given["codes"] = [("a", "diag", "D1"), ("b", "diag", "D3"), ("c", "diag", "D2"), ("d", "diag", "D2"),
                      ("e", "diag", "D3"), ("a", "proc", "P"), ("e", "proc", "P")]
    given["medications"] = [("a", "M1"), ("b", "M1"), ("b", "M2"), ("b", "M3"), ("c", "M3"), ("e", "M3"), ("e", "M2")]
    return given


def test_no_filter_of_published_cohorts_is_on_by_itself(fill, visit_rows):
    told = _keep(fill(_cohort_rows(visit_rows)), 1)
    assert not [name for name in told if "commonest" in name or "procedure" in name or "that have" in name]


def test_patients_need_visits_with_a_medication(fill, visit_rows):
    """q1's visit d has none; of q0 both visits count, before any other filter."""
    tables = fill(_cohort_rows(visit_rows))
    told = _keep(tables, 1, min_visits=2)
    assert _left(tables, "visit_id", "visits") == {"a", "b"}
    assert told["visits of patients with at least 2 visits that have a medication"] == (2, 3)


def test_later_filters_may_leave_a_patient_fewer_visits(fill, visit_rows):
    tables = fill(_cohort_rows(visit_rows))
    told = _keep(tables, 1, min_visits=2, procedures=True)
    assert _left(tables, "visit_id", "visits") == {"a"} and told["visits with a procedure"] == (1, 1)
    assert told["patients with at least 2 visits"] == (0, None)


def test_medications_are_counted_over_the_patients_that_are_left(fill, visit_rows):
    """M3 is the commonest of all; in q0's visits it is M1, and of M2 and M3, equally common, the first by code."""
    tables = fill(_cohort_rows(visit_rows))
    told = _keep(tables, 1, min_visits=2, top_medications=2)
    assert _left(tables, "item_id", "medications") == {"M1", "M2"}
    assert told["the 2 commonest medications"] == (2, 1)


def test_diagnoses_are_counted_over_all_visits(fill, visit_rows):
    """D2 and D3 are the commonest of all; q0's visit a has neither and goes."""
    tables = fill(_cohort_rows(visit_rows))
    told = _keep(tables, 1, min_visits=2, top_diagnoses=2)
    assert told["the 2 commonest diagnosis codes"] == (2, 1) and told["visits with a diagnosis"] == (1, 1)
    assert _left(tables, "visit_id", "visits") == {"b"} and _left(tables, "code", "codes") == {"D3"}
