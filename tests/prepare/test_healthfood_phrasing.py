from __future__ import annotations

import re

import pytest

from recbole_medmoe.atomic import PARTS
from recbole_medmoe.prepare.healthfood.conditions import read_patient
from recbole_medmoe.prepare.healthfood.patients import RawPatient
from recbole_medmoe.prepare.healthfood.personal import Personal
from recbole_medmoe.prepare.healthfood.phrases import FRAMES, Phrases, needed_facts
from recbole_medmoe.prepare.healthfood.phrasing import (medicine_facts, other_terms, phrased_text, sentence_order,
                                                        tells_a_condition)

PERSONAL = Personal(["sour_cream", "apple"], ["leek", "kiwi"], "vegan", "packages")


def patient(digest: str = "0" * 64, **facts):
    return read_patient(RawPatient(digest, **facts))


ILL = patient(age=70, sex="male", bmi=26.94, medicines={"warfarin", "amiodarone", "digoxin", "furosemide", "torsemide"},
              diagnoses={"a|b|hypertension", "a|b|asthma", "a|b|chronic kidney disease|Stage 3 (GFR 30-59)"},
              history={"a/TIA(s)/multiple/multiple", "a/Asthma/asthma", "a/Rheumatic/SLE/SLE"},
              allergies={("latex", False), ("egg", False)})


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    """Two phrases for each fact and part, which name them: ``<condition:gout/test/0>``."""
    table = {}
    for fact in needed_facts():
        hole = FRAMES[fact.removeprefix("frame:")] if fact.startswith("frame:") else ""
        for part in PARTS:
            table[fact, part] = tuple(f"<{fact}/{part}/{way}>" + (f" {{{hole}}}." if hole else "") for way in (0, 1))
    return Phrases(table)


def facts(text: str) -> set[str]:
    return set(re.findall(r"<(.+?)/", text))


def test_everything_is_said_in_phrases_of_the_part(phrases):
    for part in PARTS:
        assert set(re.findall(r"<.+?/(.+?)/", phrased_text(ILL, PERSONAL, part, phrases))) == {part}


def test_facts_of_a_patient(phrases):
    assert facts(phrased_text(ILL, PERSONAL, "train", phrases)) == {
        "frame:who_male", "frame:bmi", "frame:likes", "frame:dislikes", "frame:diet", "diet:vegan", "frame:wants",
        "wanted:packages", "frame:conditions", "condition:hypertension", "condition:ckd", "condition:atherosclerosis",
        "condition:latex_allergy", "frame:medicines", "medicine:vitamin_k_antagonist", "medicine:amiodarone",
        "medicine:antiarrhythmic", "medicine:loop_diuretic", "frame:other", "frame:allergy"}


def test_numbers_names_and_terms_are_filled_in(phrases):
    text = phrased_text(ILL, PERSONAL, "test", phrases)
    for said in (" 70.", " 26.9.", "sour cream", "apple", "leek", "kiwi", "egg", "asthma", "SLE"):
        assert said in text
    assert "{" not in text


def test_what_is_missing_is_said(phrases):
    text = phrased_text(patient(), Personal(["apple"], ["leek"], "none", None), "valid", phrases)
    assert facts(text) >= {"frame:who_unknown_adult", "frame:no_bmi", "frame:no_medicines", "frame:no_allergy",
                           "diet:none", "wanted:none"}
    assert "frame:other" not in facts(text)


def test_terms_that_tell_a_condition_give_way_to_its_phrase(phrases):
    assert sorted(other_terms(ILL)) == ["SLE", "asthma"]
    text = phrased_text(ILL, PERSONAL, "train", phrases)
    assert "TIA" not in text and "chronic kidney disease" not in text and "GFR" not in text


def test_a_term_of_the_other_list_is_judged_by_the_patterns_of_its_own_side():
    assert tells_a_condition("history", "TIA(s)") and not tells_a_condition("history", "r/o myocardial ischemia")
    assert tells_a_condition("problems", "hypertension")
    assert not tells_a_condition("problems", "pulmonary hypertension")


@pytest.mark.parametrize("allergies, frames", [
    ({("latex", False)}, set()), ({("latex", False), ("egg", False)}, {"frame:allergy"}),
    (set(), {"frame:no_allergy"})])
def test_a_latex_allergy_is_said_in_its_phrase_alone(phrases, allergies, frames):
    text = phrased_text(patient(allergies=allergies), PERSONAL, "test", phrases)
    assert facts(text) & {"frame:allergy", "frame:no_allergy"} == frames
    assert "latex" not in text.replace("<condition:latex_allergy/", "")


def test_a_class_is_said_once_and_three_medicines_apart():
    assert medicine_facts(patient(medicines={"losartan", "lisinopril"})) == ["medicine:raas_drug"]
    assert medicine_facts(patient(medicines={"amiodarone", "tacrolimus", "cyclosporine"})) == [
        "medicine:amiodarone", "medicine:cyclosporine", "medicine:tacrolimus"]


def test_the_same_patient_gets_the_same_text(phrases):
    assert phrased_text(ILL, PERSONAL, "train", phrases) == phrased_text(ILL, PERSONAL, "train", phrases)


def test_the_order_of_the_table_does_not_matter(phrases):
    turned = Phrases({key: said[::-1] for key, said in phrases.table.items()})
    assert phrased_text(ILL, PERSONAL, "train", phrases) == phrased_text(ILL, PERSONAL, "train", turned)


def test_patients_differ_in_phrases_and_in_the_order_of_lists(phrases):
    texts = [phrased_text(patient(f"{number:064d}", diagnoses={"a|b|hypertension", "a|b|gout"}), PERSONAL, "train",
                          phrases) for number in range(40)]
    assert {said for text in texts for said in re.findall(r"<condition:gout/train/(\d)>", text)} == {"0", "1"}
    assert {"sour cream, apple" in text for text in texts} == {True, False}
    assert {text.index("condition:gout") < text.index("condition:hypertension") for text in texts} == {True, False}


def test_sentence_orders_differ_between_patients():
    orders = {tuple(sentence_order(str(number), "train")) for number in range(50)}
    assert len(orders) == 50 and all(len(set(order)) == 10 for order in orders)


def test_no_two_parts_share_an_order_of_sentences():
    orders = [{tuple(name for name in sentence_order(str(number), part) if name != "other") for number in range(200)}
              for part in PARTS]
    assert not orders[0] & orders[1] and not orders[0] & orders[2] and not orders[1] & orders[2]


@pytest.mark.parametrize("name", ["hypertension", "diabetes mellitus", "gout", "CHF", "anemia", "esrd", "obesity"])
def test_every_code_of_a_patient_is_said(phrases, name):
    someone = patient(diagnoses={f"a|b|{name}"}, history={f"a/{name}"}, bmi=41.0, medicines={"colchicine", "iron"})
    said = facts(phrased_text(someone, PERSONAL, "test", phrases))
    assert {f"condition:{code}" for code in someone.conditions} <= said
    assert {f"medicine:{code}" for code in someone.classes} <= said
