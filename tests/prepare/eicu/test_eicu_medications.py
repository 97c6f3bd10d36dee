"""Medication orders: what each is and which count."""
from __future__ import annotations

import pytest

from recbole_medmoe.prepare.eicu.medications import read_medications
from recbole_medmoe.prepare.eicu.stays import read_stays
from recbole_medmoe.prepare.visits.drugs import DrugMaps
from recbole_medmoe.prepare.visits.medications import name_items
from recbole_medmoe.prepare.visits.session import rows


@pytest.fixture
def read(raw, write_raw, visit_tables):
    """``read(orders, level)`` -> the medications of each stay."""
    def reading(orders, level="ingredient", fluids=False, progress=lambda line: None):
        raw["medication"] = list(orders)
        folder = write_raw(raw)
        read_stays(visit_tables, folder)
        read_medications(visit_tables, folder, DrugMaps.read(), level, fluids, progress)
        found: dict[str, list[str]] = {}
        for visit, item in rows(visit_tables.session, "SELECT visit_id, item_id FROM medications ORDER BY ALL"):
            found.setdefault(visit, []).append(item)
        return found

    return reading


@pytest.mark.parametrize(("level", "item"), [("ingredient", "metoprolol"), ("atc3", "C07A"), ("atc4", "C07AB"),
                                             ("atc5", "C07AB02")])
def test_levels(read, make_order, level, item):
    assert read([make_order(1, "LOPRESSOR 25 MG PO TABS")], level) == {"s1": [item]}


def test_an_order_given_twice_counts_once(read, make_order):
    assert read([make_order(1, "LASIX"), make_order(1, "FUROSEMIDE 40 MG"), make_order(1, "LASIX")]) == {
        "s1": ["furosemide"]}


def test_a_cancelled_order_does_not_count(read, make_order):
    assert read([make_order(1, "LASIX", drugordercancelled="Yes"), make_order(1, "LISINOPRIL")]) == {
        "s1": ["lisinopril"]}


def test_fluids_flushes_and_contrast_do_not_count(read, make_order):
    names = ("SODIUM CHLORIDE 0.9 % IV SOLN", "LACTATED RINGERS", "HEPARIN FLUSH", "OMNIPAQUE", "LASIX")
    assert read([make_order(1, name) for name in names]) == {"s1": ["furosemide"]}


def test_fluids_count_where_that_is_asked(read, make_order):
    found = read([make_order(1, name) for name in ("SODIUM CHLORIDE 0.9 % IV SOLN", "OMNIPAQUE", "LASIX")], fluids=True)
    assert found == {"s1": ["furosemide", "sodium_chloride"]}


@pytest.mark.parametrize(("ordered", "stopped", "counts"), [
    ("60", "120", True),
    ("-500", "120", True),      # ordered before the unit, still given in it
    ("-500", "-10", False),     # stopped before the unit
    ("1440", "2000", True),     # at the minute of discharge
    ("1441", "2000", False),    # after it
    ("60", "", True),           # never stopped
    ("", "120", False),         # nobody knows when it was ordered
    ("soon", "120", False),
    ("60", "0", True),
])
def test_times(read, make_order, ordered, stopped, counts):
    found = read([make_order(1, "LASIX", drugorderoffset=ordered, drugstopoffset=stopped), make_order(2, "ASPIRIN")])
    assert ("s1" in found) is counts


def test_a_stay_without_a_time_of_discharge_keeps_its_orders(read, raw, make_order, make_stay):
    raw["patient"][1] = make_stay(1, 1, unitdischargeoffset="")
    assert "s1" in read([make_order(1, "LASIX", drugorderoffset="99999")])


def test_an_order_without_a_name_is_what_its_hicl_code_mostly_stands_for(read, raw, make_order):
    raw["admissiondrug"] = [["1", "s9", "LASIX           ", "77"], ["2", "s9", "Furosemide", "77"]]
    orders = [make_order(2, "FUROSEMIDE 20 MG", drughiclseqno="77"), make_order(3, "ASPIRIN", drughiclseqno="77"),
              make_order(1, "", drughiclseqno="77")]
    assert read(orders)["s1"] == ["furosemide"]


def test_a_hicl_code_of_many_meanings_stands_for_nothing(read, make_order):
    names = ("LASIX", "ASPIRIN", "LISINOPRIL")
    orders = [make_order(2, name, drughiclseqno="18084") for name in names]
    assert "s1" not in read([*orders, make_order(1, "", drughiclseqno="18084")])


def test_a_name_wins_over_its_hicl_code(read, make_order):
    orders = [make_order(2, "LASIX", drughiclseqno="77") for _ in range(9)]
    assert read([*orders, make_order(1, "ASPIRIN", drughiclseqno="77")])["s1"] == ["acetylsalicylic_acid"]


def test_a_name_that_is_not_known_counts_against_a_meaning(read, make_order):
    orders = [make_order(2, "LASIX", drughiclseqno="77"), make_order(2, "STUDY DRUG QX", drughiclseqno="77")]
    assert "s1" not in read([*orders, make_order(1, "", drughiclseqno="77")])


@pytest.mark.parametrize("code", ["0", ""])
def test_no_hicl_code_stands_for_nothing(read, make_order, code):
    orders = [make_order(2, "LASIX", drughiclseqno=code) for _ in range(5)]
    assert "s1" not in read([*orders, make_order(1, "", drughiclseqno=code)])


def test_cancelled_orders_teach_no_meaning(read, make_order):
    orders = [make_order(2, "LASIX", drughiclseqno="77", drugordercancelled="Yes")]
    assert "s1" not in read([*orders, make_order(1, "", drughiclseqno="77"), make_order(3, "ASPIRIN")])


def test_orders_of_unknown_stays_are_dropped_and_counted(read, make_order, visit_tables):
    read([make_order(1, "LASIX"), make_order(999, "LASIX")])
    told = {count.filter: (count.kept, count.dropped) for count in visit_tables.counts}
    assert told["orders of a stay that was read"] == (1, 1)


def test_counts_of_all_steps(read, make_order, visit_tables):
    read([make_order(1, "LASIX"), make_order(1, "FUROSEMIDE"), make_order(1, "NACL 0.9%"),
          make_order(1, "STUDY DRUG QX"), make_order(1, "LASIX", drugordercancelled="Yes"),
          make_order(1, "ASPIRIN", drugorderoffset="5000")])
    told = [(count.filter.split(" (")[0], count.kept) for count in visit_tables.counts][2:]
    assert told == [("medication orders read", 6), ("orders of a stay that was read", 6), ("orders not cancelled", 5),
                    ("orders whose drug is known", 4), ("orders of drugs", 3),
                    ("orders not after discharge and not stopped before admission", 2),
                    ("orders with an item at level ingredient", 2), ("medications of stays, each once", 1)]


def test_an_item_is_named_by_its_three_commonest_ingredients(read, make_order, visit_tables):
    drugs = {"LISINOPRIL": 4, "ENALAPRIL": 3, "RAMIPRIL": 2, "CAPTOPRIL": 1}
    read([make_order(number, drug) for drug, count in drugs.items() for number in range(count)], "atc4")
    name_items(visit_tables)
    assert rows(visit_tables.session, "SELECT item_id, name, atc FROM items") == [
        ("C09AA", "lisinopril, enalapril, ramipril", "C09AA")]


@pytest.mark.parametrize(("unknown", "warned"), [(3, ["25.0%"]), (1, [])])
def test_under_half_of_the_orders_known_is_a_warning(read, make_order, unknown, warned):
    told: list[str] = []
    read([make_order(1, "LASIX"), *(make_order(2, f"STUDY DRUG Q{number}") for number in range(unknown))],
         progress=told.append)
    assert [line.split("only ")[1].split(" of ")[0] for line in told] == warned
