from __future__ import annotations

from recbole_medmoe.prepare.healthfood.conditions import read_patient
from recbole_medmoe.prepare.healthfood.patients import RawPatient
from recbole_medmoe.prepare.healthfood.personal import Personal
from recbole_medmoe.prepare.healthfood.texts import patient_text

PERSONAL = Personal(["sour_cream", "apple"], ["leek", "kiwi"], "none", "packages")


def test_text_of_a_patient():
    patient = read_patient(RawPatient("0" * 64, 70, "male", 26.94, {"a|b|hypertension"}, {"a/TIA(s)/multiple/multiple"},
                                      {"warfarin", "iron"}, {("latex", False)}))
    assert patient_text(patient, PERSONAL) == (
        "70-year-old man, BMI 26.9. Likes sour cream, apple. Dislikes leek, kiwi. Diet: no special diet. "
        "Wants dairy, plant drinks and juices. History: TIA(s). Problems: hypertension. Medicines: iron; warfarin. "
        "Allergies: latex.")


def test_what_is_missing_is_said():
    text = patient_text(read_patient(RawPatient("0" * 64)), Personal(["apple"], ["leek"], "vegan", None))
    assert text == ("Adult person, BMI not known. Likes apple. Dislikes leek. Diet: vegan. Wants any food. "
                    "History: none recorded. Problems: none recorded. Medicines: none recorded. "
                    "Allergies: none recorded.")


def test_long_lists_are_not_cut():
    medicines = {f"medicine {number}" for number in range(40)}
    patient = read_patient(RawPatient("0" * 64))
    patient.medicines = sorted(medicines)
    assert all(name in patient_text(patient, PERSONAL) for name in medicines)
