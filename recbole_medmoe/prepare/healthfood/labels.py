"""Labels: dietary guidance less a share of its mean over the population, exclusions, and personal factors."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Sequence

import numpy as np

from .conditions import Patient
from .foods import Food, feature_columns
from .knowledge import read_yaml
from .personal import Personal, diet_allows, draw

OWN = "D"  # the design of the data set's own labels
DECIMALS = 9  # scores are compared rounded, so that the last bit of a processor's sums cannot make or break a tie


@dataclass(frozen=True)
class Design:
    """One way to make labels, from ``designs`` and ``jitter`` of rules.yaml.

    Args:
        name: the variant's name.
        what: the design in words.
        lift: share of the population's mean that is taken off the guidance score.
        medical: whether drug interactions and recorded allergies exclude.
        personal: whether likes, wanted group, dislikes and diet count.
        spread: least and most that a weight is multiplied by; (1, 1) leaves all weights as they are.
    """

    name: str
    what: str
    lift: float
    medical: bool
    personal: bool
    spread: tuple[float, float] = (1.0, 1.0)

    def weight(self, value: float, *place: str) -> float:
        """The weight ``value`` that stands at ``place``: its factor depends on design and place alone."""
        least, most = self.spread
        return value if least == most else value * (least + (most - least) * draw("jitter", self.name, *place))


def designs() -> dict[str, Design]:
    """All designs by name: A, B, the data set's own D, and D with other weights: D01, D02 and so on."""
    rules = read_yaml("rules.yaml")
    found = {name: Design(name, **entry) for name, entry in rules["designs"].items()}
    jitter = rules["jitter"]
    least, most, base = jitter["least"], jitter["most"], rules["designs"][jitter["of"]]
    what = f"as the own labels, but every weight times a draw of its own between {least} and {most}"
    for number in range(1, jitter["count"] + 1):
        name = f"{jitter['of']}{number:02d}"
        found[name] = Design(name, **{**base, "what": what}, spread=(least, most))
    return found


def rule_weights(patient: Patient, rules: Sequence[dict[str, Any]], names: Sequence[str]) -> np.ndarray:
    """Sum of the weights [N] of all rules whose ``when`` the patient meets, over the feature ``names``."""
    total = np.zeros(len(names))
    for rule in rules:
        if rule["when"] in patient.codes:
            for name, weight in rule["weights"].items():
                if not patient.codes & set(rule.get("unless", {}).get(name, ())):
                    total[names.index(name)] += weight
    return total


def standardised(scores: np.ndarray) -> np.ndarray:
    """Each row [U, I] with mean 0 and spread 1; a row without spread becomes 0."""
    spread = scores.std(axis=1, keepdims=True)
    return np.where(spread > 0, (scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0), 0.0)


def barred_medically(patient: Patient, foods: Sequence[Food]) -> np.ndarray:
    """Foods [I] that the patient may not eat: drug interaction, recorded allergy."""
    exclusions = read_yaml("rules.yaml")["exclusions"]
    flags = {rule["flag"] for rule in exclusions if rule["flag"] and patient.codes & set(rule["when"])}
    allergies = set(patient.allergies) - {"latex"}  # fruits that cross-react with latex lose points by a rule instead
    return np.array([any(food.flags[flag] > 0 for flag in flags) or bool(food.allergens & allergies)
                     for food in foods])


def barred_personally(personal: Personal, foods: Sequence[Food]) -> np.ndarray:
    """Foods [I] that the patient would not eat: diet, dislike."""
    limit = read_yaml("rules.yaml")["personal"]["low_acid_from"]
    return np.array([not diet_allows(food, personal.diet, limit) or food.category in personal.dislikes
                     for food in foods])


@dataclass
class LabelMaker:
    """Makes the labels of one population under any design.

    The population is the whole data set: labels are part of the data, the same in every split.

    Args:
        patients, personals: U of each, aligned.
        foods: I foods.
    """

    patients: Sequence[Patient]
    personals: Sequence[Personal]
    foods: Sequence[Food]

    @cached_property
    def _medical(self) -> np.ndarray:
        return np.stack([barred_medically(patient, self.foods) for patient in self.patients])

    @cached_property
    def _personal(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Barred, liked and wanted foods, each [U, I]."""
        barred = np.stack([barred_personally(personal, self.foods) for personal in self.personals])
        liked = np.array([[food.category in personal.likes for food in self.foods] for personal in self.personals])
        wanted = np.array([[food.group == personal.wanted for food in self.foods] for personal in self.personals])
        return barred, liked, wanted

    def scores(self, design: Design) -> np.ndarray:
        """Scores [U, I] under a design; -inf where excluded.

        z(guidance) minus a share of its mean over all patients (what is good for everyone says little of one),
        standardised again, plus the personal terms.
        """
        table = read_yaml("rules.yaml")
        rules = [{**rule, "weights": {name: design.weight(value, rule["when"], name)
                                      for name, value in rule["weights"].items()}} for rule in table["rules"]]
        columns = feature_columns(list(self.foods), table["positives"]["clip"])
        names = sorted(columns)
        features = np.stack([columns[name] for name in names])  # [N, I]
        weights = np.stack([rule_weights(patient, rules, names) for patient in self.patients])  # [U, N]
        guidance = standardised(weights @ features)  # [U, I]
        scores = standardised(guidance - design.lift * guidance.mean(axis=0, keepdims=True))
        if design.personal:
            barred, liked, wanted = self._personal
            likes, group = (design.weight(table["personal"][key]["weight"], "personal", key)
                            for key in ("likes", "wanted_group"))
            scores = np.where(barred, -np.inf, scores + likes * liked + group * wanted)
        if design.medical:
            scores = np.where(self._medical, -np.inf, scores)
        return np.round(scores, DECIMALS)

    def positives(self, design: Design) -> np.ndarray:
        """Mask [U, I] of each patient's best foods under a design."""
        return positives(self.scores(design), read_yaml("rules.yaml")["positives"]["top"])


def positives(scores: np.ndarray, top: int) -> np.ndarray:
    """Mask [U, I] of the ``top`` best foods of each patient, foods that tie with the last one kept."""
    count = min(top, scores.shape[1])
    last = np.sort(scores, axis=1)[:, -count][:, None]
    return (scores >= last) & np.isfinite(scores)
