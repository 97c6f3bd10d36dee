from __future__ import annotations

import numpy as np
import pytest

from recbole_medmoe.prepare.healthfood.conditions import read_patient
from recbole_medmoe.prepare.healthfood.foods import read_foods
from recbole_medmoe.prepare.healthfood.knowledge import read_yaml
from recbole_medmoe.prepare.healthfood.labels import excluded, make_scores, positives, rule_weights, standardised
from recbole_medmoe.prepare.healthfood.patients import RawPatient
from recbole_medmoe.prepare.healthfood.personal import Personal

RULES = [{"when": "hypertension", "weights": {"sodium": -1, "potassium": 0.75}, "unless": {"potassium": ["ckd"]}},
         {"when": "everyone", "weights": {"sodium": -0.2}}]
PLAIN = Personal(likes=[], dislikes=[], diet="none", wanted=None)


def patient(*diagnoses: str, medicines: tuple[str, ...] = (), allergies: tuple[str, ...] = ()):
    return read_patient(RawPatient("0" * 64, diagnoses={f"a|b|{name}" for name in diagnoses}, medicines=set(medicines),
                                   allergies={(name, False) for name in allergies}))


@pytest.fixture
def foods(raw):
    return read_foods(raw.grocery, raw.usda)


def barred(foods, patient, personal=PLAIN) -> set[str]:
    return {food.token for food, out in zip(foods, excluded(patient, personal, foods)) if out}


def test_weights_of_all_rules_that_hold_are_summed():
    assert rule_weights(patient("hypertension"), RULES, ["potassium", "sodium"]).tolist() == [0.75, -1.2]


def test_unless_switches_one_weight_off():
    both = patient("hypertension", "chronic kidney disease")
    assert rule_weights(both, RULES, ["potassium", "sodium"]).tolist() == [0.0, -1.2]


def test_standardised_rows_have_mean_0_and_spread_1():
    scores = standardised(np.array([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]]))
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(scores.std(axis=1), [1, 0], atol=1e-12)


def test_statins_exclude_grapefruit(foods):
    assert barred(foods, patient(medicines=("simvastatin",))) == {"red-grapefruit"}


def test_an_allergy_excludes_the_food(foods):
    assert barred(foods, patient(allergies=("Banana",))) == {"banana"}


def test_latex_allergy_lowers_but_does_not_exclude(foods):
    assert barred(foods, patient(allergies=("LATEX GLOVES",))) == set()


def test_dislikes_exclude_whole_categories(foods):
    assert barred(foods, patient(), Personal([], ["tomato"], "none", None)) == {"vine-tomato", "regular-tomato"}


@pytest.mark.parametrize("diet, out", [
    ("vegan", {"arla-standard-milk"}), ("lactose intolerant", {"arla-standard-milk"}),
    ("soy allergy", {"alpro-fresh-soy-milk"}), ("none", set())])
def test_diets_exclude(foods, diet, out):
    assert barred(foods, patient(), Personal([], [], diet, None)) == out


def test_a_liked_category_gains_its_weight(foods):
    people = [patient("hypertension"), patient("hypertension")]
    scores = make_scores(people, [PLAIN, Personal(["kiwi"], [], "none", None)], foods)
    gain = dict(zip([food.token for food in foods], scores[1] - scores[0]))
    weight = read_yaml("rules.yaml")["personal"]["likes"]["weight"]
    assert gain["kiwi"] == pytest.approx(weight) and gain["banana"] == pytest.approx(0)


def test_equal_foods_get_equal_scores(foods):
    scores = dict(zip([food.token for food in foods], make_scores([patient("hypertension"), patient("anemia")],
                                                                  [PLAIN, PLAIN], foods)[0]))
    assert scores["vine-tomato"] == scores["regular-tomato"]


def test_ties_with_the_last_positive_are_kept():
    assert positives(np.array([[3.0, 1.0, 2.0, 2.0, 0.0]]), 2).tolist() == [[True, False, True, True, False]]


def test_excluded_foods_are_never_positive():
    assert positives(np.array([[1.0, -np.inf, -np.inf]]), 2).tolist() == [[True, False, False]]
