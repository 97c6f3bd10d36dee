"""Texts of the split ``phrasing``: facts in phrases that only the patient's part uses, sentences in a drawn order."""
from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Iterable

from ...atomic import PARTS
from .conditions import Patient
from .knowledge import conditions, medicine_classes
from .personal import Personal, draw, shuffled
from .phrases import Phrases, named_medicines
from .texts import readable

SENTENCES = ("who", "bmi", "likes", "dislikes", "diet", "wants", "conditions", "medicines", "other", "allergies")


@lru_cache(maxsize=None)
def tells_a_condition(side: str, term: str) -> bool:
    """Whether a term of ``problems`` or ``history`` alone gives a condition code."""
    terms = {"problems": [], "history": [], "allergies": [], side: [term]}
    return any(entry.holds(terms, {}, None) for entry in conditions())


def other_terms(patient: Patient) -> list[str]:
    """Terms of problems and history that give no condition code: they stand in the text as the record has them."""
    terms = [("problems", term) for term in patient.problems] + [("history", term) for term in patient.history]
    return list(dict.fromkeys(term for side, term in terms if not tells_a_condition(side, term)))


def medicine_facts(patient: Patient) -> list[str]:
    """A class for each medicine, once, and the medicine itself where a rule names it."""
    named = set(named_medicines())
    return sorted({f"medicine:{name if name in named else medicine_classes()[name]}" for name in patient.medicines})


def sentence_order(digest: str, part: str) -> list[str]:
    """Order of the sentences of one patient.

    Every order belongs to one part by a draw of its own, without regard to ``other``, which many texts lack; a patient
    takes its first draw that belongs to its part. So no two parts share an order.
    """

    def owner(order: list[str]) -> str:
        return PARTS[int(len(PARTS) * draw("phrasing order", *(name for name in order if name != "other")))]

    orders = (shuffled(SENTENCES, "phrasing", digest, "order", str(attempt)) for attempt in itertools.count())
    return next(order for order in orders if owner(order) == part)


def phrased_text(patient: Patient, personal: Personal, part: str, phrases: Phrases) -> str:
    """One paragraph that says what the base text says of conditions, medicine classes, wishes, allergies and body.

    Args:
        patient: every draw depends on its ``digest``.
        personal: simulated factors.
        part: ``train``, ``valid`` or ``test``: whose phrases are used.
        phrases: the table.
    """
    seed = ("phrasing", patient.digest)

    def say(fact: str) -> str:
        return shuffled(phrases.of(fact, part), *seed, fact)[0]

    def frame(name: str, **filled: str) -> str:
        text = say(f"frame:{name}")
        for hole, value in filled.items():
            text = text.replace(f"{{{hole}}}", value)
        return text

    def listed(name: str, values: Iterable[str], joint: str = ", ") -> str:
        return frame(name, items=joint.join(shuffled(values, *seed, name)))

    facts, other = medicine_facts(patient), other_terms(patient)
    # A latex allergy is a condition code with phrases of its own; the raw word beside them would give it away.
    allergies = [name for name in patient.allergies if name != "latex"]
    told = {
        "who": (frame(f"who_{patient.sex}", age=str(patient.age)) if patient.age is not None
                else frame(f"who_{patient.sex}_adult")),
        "bmi": frame("bmi", bmi=f"{patient.bmi:.1f}") if patient.bmi is not None else frame("no_bmi"),
        "likes": listed("likes", map(readable, personal.likes)),
        "dislikes": listed("dislikes", map(readable, personal.dislikes)),
        "diet": frame("diet", diet=say(f"diet:{personal.diet}")),
        "wants": frame("wants", wanted=say(f"wanted:{personal.wanted or 'none'}")),
        "conditions": listed("conditions", [say(f"condition:{code}") for code in patient.conditions]),
        "medicines": listed("medicines", map(say, facts)) if facts else frame("no_medicines"),
        "other": listed("other", other, "; ") if other else "",
        "allergies": (listed("allergy", allergies, "; ") if allergies
                      else "" if patient.allergies else frame("no_allergy")),
    }
    return " ".join(told[name] for name in sentence_order(patient.digest, part) if told[name])
