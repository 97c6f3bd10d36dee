from __future__ import annotations

from collections import Counter

import pytest

from recbole_medmoe.prepare.healthfood.conditions import read_patient
from recbole_medmoe.prepare.healthfood.foods import read_foods
from recbole_medmoe.prepare.healthfood.patients import RawPatient
from recbole_medmoe.prepare.healthfood.personal import choose, diet_allows, draw, draw_personal, shuffled


@pytest.fixture
def foods(raw):
    return read_foods(raw.grocery, raw.usda)


def test_a_draw_never_moves():
    assert draw("healthfood", "p0001") == pytest.approx(0.11568551392533268, abs=1e-15)


def test_shuffled_does_not_depend_on_the_order_given():
    assert shuffled("abcdef", "seed") == shuffled("fedcba", "seed") != shuffled("abcdef", "other")


def test_shares_are_kept():
    counts = Counter(choose({"a": 0.7, "b": 0.3}, "seed", str(number)) for number in range(2000))
    assert counts["a"] / 2000 == pytest.approx(0.7, abs=0.04)


def test_likes_and_dislikes_do_not_contradict_diet_or_allergy(foods):
    categories = {food.category: food for food in foods}
    for number in range(50):
        patient = read_patient(RawPatient(f"{number:064d}", allergies={("Banana", False)}))
        personal = draw_personal(patient, foods)
        named = personal.likes + personal.dislikes
        assert len(set(named)) == len(named) and "banana" not in named
        assert all(diet_allows(categories[name], personal.diet, 0.7) for name in named)


def test_the_same_patient_likes_the_same(foods):
    patient = read_patient(RawPatient("1" * 64))
    assert draw_personal(patient, foods) == draw_personal(patient, list(reversed(foods)))
