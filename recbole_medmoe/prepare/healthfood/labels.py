"""Labels D: dietary guidance less half of its mean over the population, exclusions, and personal factors."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from .conditions import Patient
from .foods import Food, feature_columns
from .knowledge import read_yaml
from .personal import Personal, diet_allows

DECIMALS = 9  # scores are compared rounded, so that the last bit of a processor's sums cannot make or break a tie


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


def excluded(patient: Patient, personal: Personal, foods: Sequence[Food]) -> np.ndarray:
    """Foods [I] that the patient may or would not eat: drug interaction, allergy, diet, dislike."""
    rules = read_yaml("rules.yaml")
    flags = {rule["flag"] for rule in rules["exclusions"] if rule["flag"] and patient.codes & set(rule["when"])}
    allergies = set(patient.allergies) - {"latex"}  # fruits that cross-react with latex lose points by a rule instead
    limit = rules["personal"]["low_acid_from"]
    return np.array([any(food.flags[flag] > 0 for flag in flags) or bool(food.allergens & allergies)
                     or not diet_allows(food, personal.diet, limit) or food.category in personal.dislikes
                     for food in foods])


def personal_terms(personal: Personal, foods: Sequence[Food]) -> np.ndarray:
    """What likes and the wanted group add to the score [I]."""
    rules = read_yaml("rules.yaml")["personal"]
    return np.array([rules["likes"]["weight"] * (food.category in personal.likes)
                     + rules["wanted_group"]["weight"] * (food.group == personal.wanted) for food in foods])


def make_scores(patients: Sequence[Patient], personals: Sequence[Personal], foods: Sequence[Food]) -> np.ndarray:
    """Scores [U, I]; -inf where excluded.

    z(guidance) minus half of its mean over all patients (what is good for everyone says little of one), standardised
    again, plus the personal terms. The population is the whole data set: labels are part of the data, the same in
    every split.
    """
    rules = read_yaml("rules.yaml")
    columns = feature_columns(list(foods), rules["positives"]["clip"])
    names = sorted(columns)
    features = np.stack([columns[name] for name in names])  # [N, I]
    weights = np.stack([rule_weights(patient, rules["rules"], names) for patient in patients])  # [U, N]
    guidance = standardised(weights @ features)  # [U, I]
    lifted = standardised(guidance - rules["positives"]["half_lift"] * guidance.mean(axis=0, keepdims=True))
    scores = lifted + np.stack([personal_terms(personal, foods) for personal in personals])
    barred = np.stack([excluded(patient, personal, foods) for patient, personal in zip(patients, personals)])
    return np.where(barred, -np.inf, np.round(scores, DECIMALS))


def positives(scores: np.ndarray, top: int) -> np.ndarray:
    """Mask [U, I] of the ``top`` best foods of each patient, foods that tie with the last one kept."""
    count = min(top, scores.shape[1])
    last = np.sort(scores, axis=1)[:, -count][:, None]
    return (scores >= last) & np.isfinite(scores)
