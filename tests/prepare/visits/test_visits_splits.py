"""Splits of visits: who is in which part."""
from __future__ import annotations

import pytest

from recbole_medmoe.atomic import PARTS, inter_path, read_atomic
from recbole_medmoe.errors import DataError


@pytest.fixture
def parts(tables, write, tmp_path):
    """Split -> part -> visits, and the patient and the earlier visits of each visit."""
    write(tables)
    user = read_atomic(tmp_path / "made" / "made.user").set_index("visit_id")

    def of(split):
        return {part: set(read_atomic(inter_path(tmp_path / "made", split, part))["visit_id"]) for part in PARTS}

    return of, user["patient_id"].to_dict(), user["earlier"].to_dict()


@pytest.mark.parametrize("split", ["patient", *(f"fold{fold}" for fold in range(5))])
def test_a_patient_is_in_one_part(parts, split):
    of, patient, _ = parts
    seen = [{patient[visit] for visit in visits} for visits in of(split).values()]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]
    assert len(set().union(*seen)) == 30


def test_the_default_split_has_17_percent_valid_and_test(parts):
    of, patient, _ = parts
    assert [len({patient[visit] for visit in visits}) for visits in of("patient").values()] == [20, 5, 5]


def test_each_visit_tests_in_exactly_one_fold(parts):
    of, patient, _ = parts
    tested = [visit for fold in range(5) for visit in of(f"fold{fold}")["test"]]
    assert sorted(tested) == sorted(patient)


def test_about_a_fifth_of_a_folds_other_patients_is_valid(parts):
    of, patient, _ = parts
    for fold in range(5):
        assert [len({patient[visit] for visit in visits}) for visits in of(f"fold{fold}").values()] == [20, 4, 6]


def test_warm_visit_asks_for_the_latest_visit_of_known_patients(parts):
    of, patient, earlier = parts
    warm = of("warm_visit")
    assert all(earlier[visit] for visit in warm["valid"] | warm["test"])
    assert {other for visit in warm["valid"] | warm["test"] for other in earlier[visit]} == warm["train"]
    assert len(warm["valid"]) == len(warm["test"]) == 15


def test_visits_that_may_be_later_than_the_one_asked_for_are_in_no_part(fill, visit_rows, write, tmp_path):
    for table in ("codes", "medications"):
        visit_rows[table] += [("raw60", *row[1:]) for row in visit_rows[table] if row[0] == "raw1"]
    visit_rows["visits"].append(("raw60", "patient0", 2, 60.0, "female"))   # neither before nor after raw1
    write(fill(visit_rows))
    user = read_atomic(tmp_path / "made" / "made.user")
    warm = set().union(*(read_atomic(inter_path(tmp_path / "made", "warm_visit", part))["visit_id"] for part in PARTS))
    assert len(set(user["visit_id"]) - warm) == 1


def test_warm_visit_is_left_out_where_no_order_is_known(fill, visit_rows, write, tmp_path):
    visit_rows["earlier"] = []
    told = write(fill(visit_rows))
    assert not list((tmp_path / "made").glob("*warm*")) and not [key for key in told if "warm" in key]


def test_too_few_patients_are_refused_and_nothing_is_written(fill, visit_rows, write, tmp_path):
    visit_rows["visits"] = visit_rows["visits"][:18]
    with pytest.raises(DataError, match="9 patients are left, too few to split; 10 are needed"):
        write(fill(visit_rows))
    assert not (tmp_path / "made").exists()


def _by_id(tables, write, tmp_path, name):
    """Raw patient -> part, of the split in the order of ids."""
    tables.split_by = "id"
    write(tables, name)
    tokens = dict(tables.session.execute("SELECT token, patient_id FROM visit_tokens JOIN visits USING (visit_id)")
                  .fetchall())
    return {tokens[visit]: part for part in PARTS
            for visit in read_atomic(inter_path(tmp_path / name, "patient", part))["visit_id"]}


def test_patients_in_the_order_of_their_ids_are_split_8_to_1_to_1(tables, write, tmp_path):
    raw = sorted(f"patient{number}" for number in range(30))
    parts = _by_id(tables, write, tmp_path, "made")
    assert [parts[patient] for patient in raw] == ["train"] * 24 + ["valid"] * 3 + ["test"] * 3


def test_ids_that_are_numbers_are_in_the_order_of_numbers(fill, visit_rows, write, tmp_path):
    visit_rows["visits"] = [(visit, str(int(patient.removeprefix("patient")) + 95), *rest)
                            for visit, patient, *rest in visit_rows["visits"]]
    parts = _by_id(fill(visit_rows), write, tmp_path, "made")
    assert [parts[str(number)] for number in range(95, 125)] == ["train"] * 24 + ["valid"] * 3 + ["test"] * 3


def test_the_order_of_ids_changes_the_default_split_alone(tables, write, tmp_path):
    write(tables, "hashed")
    _by_id(tables, write, tmp_path, "ordered")
    same = {split: all(inter_path(tmp_path / "hashed", split, part).read_bytes()
                       == inter_path(tmp_path / "ordered", split, part).read_bytes() for part in PARTS)
            for split in ("patient", "fold0", "fold4", "warm_visit")}
    assert same == {"patient": False, "fold0": True, "fold4": True, "warm_visit": True}
