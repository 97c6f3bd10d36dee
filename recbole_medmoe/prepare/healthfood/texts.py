"""The text of a patient: every fact that the labels rest on, in plain words, nothing cut off."""
from __future__ import annotations

from typing import Sequence

from .conditions import Patient
from .personal import Personal

_SEX = {"male": "man", "female": "woman", "unknown": "person"}
GROUPS = {"fruit": "fruit", "vegetables": "vegetables", "packages": "dairy, plant drinks and juices"}


def _listed(values: Sequence[str]) -> str:
    return "; ".join(values) if values else "none recorded"


def readable(token: str) -> str:
    """``sour_cream`` -> ``sour cream``."""
    return token.replace("_", " ")


def patient_text(patient: Patient, personal: Personal) -> str:
    """One paragraph of about 125 tokens."""
    age = f"{patient.age}-year-old " if patient.age is not None else "Adult "
    bmi = f"BMI {patient.bmi:.1f}" if patient.bmi is not None else "BMI not known"
    wanted = GROUPS.get(personal.wanted, readable(personal.wanted)) if personal.wanted else "any food"
    return " ".join([
        f"{age}{_SEX[patient.sex]}, {bmi}.",
        f"Likes {', '.join(readable(name) for name in personal.likes)}.",
        f"Dislikes {', '.join(readable(name) for name in personal.dislikes)}.",
        f"Diet: {'no special diet' if personal.diet == 'none' else personal.diet}.",
        f"Wants {wanted}.",
        f"History: {_listed(patient.history)}.",
        f"Problems: {_listed(patient.problems)}.",
        f"Medicines: {_listed(patient.medicines)}.",
        f"Allergies: {_listed(patient.allergies)}.",
    ])
