from __future__ import annotations

import pytest

from recbole_medmoe.prepare.healthfood.conditions import (allergy_terms, history_term, problem_term, read_patient,
                                                          tidy)
from recbole_medmoe.prepare.healthfood.knowledge import conditions, medicine_classes, read_yaml
from recbole_medmoe.prepare.healthfood.patients import RawPatient


def codes(**facts) -> list[str]:
    return read_patient(RawPatient("0" * 64, **facts)).conditions


@pytest.mark.parametrize("raw, term", [
    ("renal|electrolyte imbalance|hypokalemia|severe ( < 2.8 meq/dl)", "hypokalemia, severe"),
    ("endocrine|glucose metabolism|diabetes mellitus|Type II|controlled", "diabetes mellitus, Type II, controlled"),
    ("hematology|red blood cells|anemia|acute blood loss anemia", "acute blood loss anemia"),
    ("renal|kidney|chronic kidney disease|Stage 3 (GFR 30-59)", "chronic kidney disease, Stage 3 (GFR 30-59)")])
def test_problem_term(raw, term):
    assert problem_term(raw) == term


@pytest.mark.parametrize("raw, term", [
    ("a/Organ Systems/Neurologic/Strokes/stroke - date unknown", "stroke"),
    ("a/Neurologic/Strokes/multiple/multiple", "strokes"),
    ("a/Renal  (R)/s/p Renal Transplant/s/p renal transplant", "s/p renal transplant"),
    ("a/Oncology (R)/Cancer/Cancer-Primary Site/breast", "cancer: breast"),
    ("a/Gastrointestinal (R)/Cirrhosis/clinical diagnosis", "cirrhosis"),
    ("a/Pulmonary/COPD/COPD  - severe", "COPD - severe"),
    ("a/Past History Obtain Options/Performed", None)])
def test_history_term(raw, term):
    assert history_term(raw) == term


def test_free_text_of_allergies_is_not_copied():
    assert allergy_terms("my own words", listed=False) == []


def test_a_listed_drug_without_a_common_name_is_shown():
    assert allergy_terms("COAL TAR", listed=True) == ["coal tar"]


def test_a_placeholder_is_no_allergy():
    assert allergy_terms("See Cerner", listed=False) == []


def test_two_allergens_in_one_entry():
    assert allergy_terms("MILK EGGS FRUIT", listed=False) == ["egg", "milk", "fruit"]


def test_tidy_drops_what_another_term_makes_more_exact():
    assert tidy(["hypokalemia", "hypokalemia, severe", "COPD", None, "COPD"]) == ["COPD", "hypokalemia, severe"]


def test_rule_out_is_no_diagnosis():
    assert codes(diagnoses={"cardiovascular|chest pain / ASHD|chest pain|r/o myocardial ischemia"}) == []


def test_pulmonary_hypertension_is_no_hypertension():
    assert codes(diagnoses={"pulmonary|disorders of vasculature|pulmonary hypertension"}) == []


def test_without_heart_failure_in_the_words_is_no_heart_failure():
    assert codes(diagnoses={"pulmonary|failure|acute respiratory failure due to volume overload without CHF"}) == []


def test_dialysis_takes_the_place_of_kidney_disease():
    path = "a/Organ Systems/Renal  (R)/Renal Failure/renal failure - hemodialysis"
    assert codes(history={path}, diagnoses={"renal|disorder of kidney|chronic kidney disease"}) == ["dialysis"]


@pytest.mark.parametrize("bmi, expected", [
    (30.0, ["obesity"]), (29.9, []), (18.5, []), (18.4, ["malnutrition"]), (None, [])])
def test_body_mass_index(bmi, expected):
    assert codes(bmi=bmi) == expected


def test_a_medicine_alone_can_tell_a_condition():
    patient = read_patient(RawPatient("0" * 64, medicines={"allopurinol"}))
    assert (patient.conditions, patient.classes, patient.core) == (["gout"], ["gout_medicine"], True)


def test_lung_disease_alone_brings_nobody_in():
    assert not read_patient(RawPatient("0" * 64, medicines={"tiotropium"})).core


def test_every_code_that_conditions_and_rules_name_exists():
    medicines = medicine_classes()
    known = {entry.code for entry in conditions()} | set(medicines) | set(medicines.values()) | {"everyone", "allergy"}
    named = {name for entry in conditions() for name in entry.entry.get("unless", ())}
    named |= {wanted.split(":")[1] for entry in conditions() for wanted in entry.entry.get("medicines", ())}
    rules = read_yaml("rules.yaml")
    named |= {rule["when"] for rule in rules["rules"]} | {code for rule in rules["exclusions"] for code in rule["when"]}
    named |= {code for rule in rules["rules"] for off in rule.get("unless", {}).values() for code in off}
    assert named <= known
