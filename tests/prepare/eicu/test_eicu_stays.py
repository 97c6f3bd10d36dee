"""Unit stays as visits: which came first as far as it is known."""
from __future__ import annotations

import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.eicu.stays import read_stays
from recbole_medmoe.prepare.visits.session import rows


@pytest.fixture
def read(raw, write_raw, visit_tables):
    def reading(*stays):
        raw["patient"] = list(stays)
        read_stays(visit_tables, write_raw(raw))
        return visit_tables

    return reading


def _known(tables):
    return set(rows(tables.session, "SELECT earlier_id, visit_id FROM earlier"))


def test_unit_visit_numbers_order_the_stays_of_a_hospital_stay(read, make_stay):
    tables = read(make_stay(1, 0, patienthealthsystemstayid="h", unitvisitnumber="2"),
                  make_stay(2, 0, patienthealthsystemstayid="h", unitvisitnumber="1"),
                  make_stay(3, 0, patienthealthsystemstayid="h", unitvisitnumber="10"))
    assert _known(tables) == {("s2", "s1"), ("s2", "s3"), ("s1", "s3")}


def test_years_order_hospital_stays(read, make_stay):
    tables = read(make_stay(1, 0, hospitaldischargeyear="2015"), make_stay(2, 0, hospitaldischargeyear="2014"))
    assert _known(tables) == {("s2", "s1")}


def test_age_orders_hospital_stays_of_one_year(read, make_stay):
    assert _known(read(make_stay(1, 0, age="61"), make_stay(2, 0, age="60"))) == {("s2", "s1")}


def test_the_year_wins_over_the_age(read, make_stay):
    tables = read(make_stay(1, 0, age="61", hospitaldischargeyear="2014"),
                  make_stay(2, 0, age="60", hospitaldischargeyear="2015"))
    assert _known(tables) == {("s1", "s2")}


@pytest.mark.parametrize("given", [
    ({"age": "60"}, {"age": "60"}),
    ({"age": "> 89"}, {"age": "> 89"}),
    ({"age": ""}, {"age": "60"}),
    ({"hospitaldischargeyear": ""}, {"hospitaldischargeyear": "2015"}),
    ({"patienthealthsystemstayid": "h", "unitvisitnumber": ""}, {"patienthealthsystemstayid": "h"}),
])
def test_what_nothing_orders_has_no_order(read, make_stay, given):
    assert _known(read(make_stay(1, 0, **given[0]), make_stay(2, 0, **given[1]))) == set()


def test_over_89_is_after_89(read, make_stay):
    assert _known(read(make_stay(1, 0, age="> 89"), make_stay(2, 0, age="89"))) == {("s2", "s1")}


def test_stays_of_different_patients_have_no_order(read, make_stay):
    assert _known(read(make_stay(1, 0, age="60"), make_stay(2, 1, age="70"))) == set()


def test_places_extend_the_known_order(read, make_stay):
    tables = read(*(make_stay(number, 0, age=age, hospitaldischargeyear=year, unitvisitnumber=str(number),
                              patienthealthsystemstayid=f"h{number % 3}")
                    for number, (age, year) in enumerate([("60", "2015"), ("", "2014"), ("> 89", "2014"),
                                                          ("60", "2015"), ("59", "2014"), ("", "")])))
    place = dict(rows(tables.session, "SELECT visit_id, place FROM visits"))
    assert sorted(place.values()) == [1, 2, 3, 4, 5, 6]
    assert _known(tables) and all(place[before] < place[after] for before, after in _known(tables))


def test_the_profile(read, make_stay):
    tables = read(make_stay(1, 0, age="> 89", gender="Male"), make_stay(2, 1, age="", gender="", ethnicity="",
                                                                        unitadmitsource="", hospitalid="74"))
    found = rows(tables.session, "SELECT COLUMNS('profile (age|sex|ethnicity|admission_source|unit_type|stay_type)') "
                                 "FROM visits ORDER BY visit_id")
    assert found == [(90, "male", "Caucasian", "Floor", "MICU", "admit"),
                     (None, "unknown", "unknown", "unknown", "MICU", "admit")]
    hospitals = [row[0] for row in rows(tables.session, 'SELECT "profile hospital" FROM visits')]
    assert sorted(hospitals) == ["h001", "h002"]


def test_a_stay_without_a_patient_is_dropped_and_counted(read, make_stay):
    tables = read(make_stay(1, 0), make_stay(2, 0, uniquepid=""))
    assert [(count.kept, count.dropped) for count in tables.counts] == [(2, None), (1, 1)]


def test_no_stay_with_a_patient_is_refused(read, make_stay):
    with pytest.raises(DataError, match="no unit stay with a uniquepid"):
        read(make_stay(1, 0, uniquepid=""))


def test_a_stay_that_comes_twice_is_refused(read, make_stay):
    with pytest.raises(DataError, match="comes twice"):
        read(make_stay(1, 0), make_stay(1, 1))
