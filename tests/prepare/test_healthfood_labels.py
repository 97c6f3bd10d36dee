from __future__ import annotations

import numpy as np
import pytest

from recbole_medmoe.prepare.healthfood.conditions import read_patient
from recbole_medmoe.prepare.healthfood.foods import read_foods
from recbole_medmoe.prepare.healthfood.knowledge import read_yaml
from recbole_medmoe.prepare.healthfood.labels import (OWN, Design, LabelMaker, barred_medically, barred_personally,
                                                      designs, positives, rule_weights, standardised)
from recbole_medmoe.prepare.healthfood.patients import RawPatient
from recbole_medmoe.prepare.healthfood.personal import Personal

RULES = [{"when": "hypertension", "weights": {"sodium": -1, "potassium": 0.75}, "unless": {"potassium": ["ckd"]}},
         {"when": "everyone", "weights": {"sodium": -0.2}}]
D = designs()[OWN]
PLAIN = Personal(likes=[], dislikes=[], diet="none", wanted=None)


def patient(*diagnoses: str, medicines: tuple[str, ...] = (), allergies: tuple[str, ...] = ()):
    return read_patient(RawPatient("0" * 64, diagnoses={f"a|b|{name}" for name in diagnoses}, medicines=set(medicines),
                                   allergies={(name, False) for name in allergies}))


@pytest.fixture
def foods(raw):
    return read_foods(raw.grocery, raw.usda)


def barred(foods, patient, personal=PLAIN) -> set[str]:
    out = barred_medically(patient, foods) | barred_personally(personal, foods)
    return {food.token for food, is_out in zip(foods, out) if is_out}


def scored(design: Design, foods, *people) -> list[dict[str, float]]:
    """Scores by food of each (patient, personal)."""
    maker = LabelMaker([patient for patient, _ in people], [personal for _, personal in people], foods)
    return [dict(zip([food.token for food in foods], row)) for row in maker.scores(design)]


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
    plain, fond = scored(D, foods, (patient("hypertension"), PLAIN),
                         (patient("hypertension"), Personal(["kiwi"], [], "none", None)))
    weight = read_yaml("rules.yaml")["personal"]["likes"]["weight"]
    assert fond["kiwi"] - plain["kiwi"] == pytest.approx(weight) and fond["banana"] == pytest.approx(plain["banana"])


def test_equal_foods_get_equal_scores(foods):
    scores, _ = scored(D, foods, (patient("hypertension"), PLAIN), (patient("anemia"), PLAIN))
    assert scores["vine-tomato"] == scores["regular-tomato"]


def test_ties_with_the_last_positive_are_kept():
    assert positives(np.array([[3.0, 1.0, 2.0, 2.0, 0.0]]), 2).tolist() == [[True, False, True, True, False]]


def test_excluded_foods_are_never_positive():
    assert positives(np.array([[1.0, -np.inf, -np.inf]]), 2).tolist() == [[True, False, False]]


PICKY = Personal(["kiwi"], ["tomato"], "vegan", "fruit")


def test_designs_are_the_own_two_others_and_twenty_jitters():
    assert list(designs()) == ["A", "B", "D", *(f"D{number:02d}" for number in range(1, 21))]


def test_guidance_alone_excludes_nothing_and_hears_no_wish(foods):
    person = patient("hypertension", medicines=("simvastatin",), allergies=("Banana",))
    plain, picky = scored(designs()["A"], foods, (person, PLAIN), (person, PICKY))
    assert plain == picky and np.isfinite(list(plain.values())).all()


def test_guidance_alone_is_the_standardised_sum_of_the_rules(foods):
    person = patient("hypertension")
    alone, beside = (scored(designs()["A"], foods, *people)[0]
                     for people in ([(person, PLAIN)], [(person, PLAIN), (patient("gout"), PLAIN)]))
    assert alone == beside and np.std(list(alone.values())) == pytest.approx(1)


def test_full_lift_keeps_medical_exclusions_and_hears_no_wish(foods):
    person = patient("hypertension", medicines=("simvastatin",), allergies=("Banana",))
    plain, picky, _ = scored(designs()["B"], foods, (person, PLAIN), (person, PICKY), (patient("gout"), PLAIN))
    assert plain == picky
    assert {food for food, score in plain.items() if not np.isfinite(score)} == {"banana", "red-grapefruit"}


def test_full_lift_leaves_nothing_of_what_all_patients_share(foods):
    same = [(patient("hypertension"), PLAIN)] * 2
    assert set(scored(designs()["B"], foods, *same)[0].values()) == {0.0}


def test_a_jittered_weight_stays_in_its_bounds_and_never_moves():
    design = designs()["D07"]
    factors = [design.weight(1.0, "hypertension", f"nutrient {number}") for number in range(500)]
    assert 0.7 <= min(factors) < 0.71 and 1.29 < max(factors) <= 1.3 and np.mean(factors) == pytest.approx(1, abs=0.02)
    assert design.weight(-1.5, "gout", "purine") == pytest.approx(-1.5801635797646454, abs=1e-15)


def test_jitters_differ_from_each_other_and_keep_signs():
    weights = [designs()[name].weight(-2.0, "gout", "purine") for name in ("D01", "D02", "D03")]
    assert len(set(weights)) == 3 and max(weights) < 0


def test_the_own_design_takes_every_weight_as_the_table_says():
    assert D.weight(-1.5, "gout", "purine") == -1.5


def test_a_jitter_moves_labels_but_not_exclusions(foods):
    person = (patient("hypertension", allergies=("Banana",)), PICKY)
    own, other = (scored(designs()[name], foods, person, (patient("gout"), PLAIN))[0] for name in (OWN, "D01"))
    assert own != other
    assert [np.isfinite(score) for score in own.values()] == [np.isfinite(score) for score in other.values()]
