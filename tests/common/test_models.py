"""Every registered model, one of RecBole's and one of a third party's pass every check."""
from __future__ import annotations

from typing import Callable

import pytest

from recbole_medmoe.checks.case import Case
from recbole_medmoe.checks.checking import CHECKS, Check, run_check
from recbole_medmoe.registry import MODELS

THIRD_PARTY = "nearest_text:NearestText"
NAMES = [spec.name for spec in MODELS] + ["BPR", THIRD_PARTY]
NAMES += [f"{spec.name} {task}" for spec in MODELS for task, _ in spec.by_task]
# Whatever else does not apply to a model is a change of its rules, and is told here first.
NOT_APPLICABLE = {
    "FeatureRidge": {"gradients"},
    "BowRidge": {"gradients"},
    "ConditionLookup": {"gradients", "overfits_eight_rows"},
    "VisitPop": {"gradients", "overfits_eight_rows"},
    "RepeatLast": {"gradients", "overfits_eight_rows"},
    "VisitLR": {"gradients"},
    "OptionPosition": {"gradients", "overfits_eight_rows", "one_item_catalogue"},
    "LongestOption": {"gradients", "overfits_eight_rows", "one_item_catalogue"},
    "OptionOverlap": {"gradients", "overfits_eight_rows", "one_item_catalogue"},
    "LLMOnlyZeroShot": {"gradients", "overfits_eight_rows"},
    "LLMGenerate": {"gradients", "overfits_eight_rows"},
    "AMFRec": {"overfits_eight_rows", "one_item_catalogue"},
    "FeatureSASRec": {"overfits_eight_rows", "one_item_catalogue", "all_modalities_missing"},
    "MINGMoE": {"one_item_catalogue"},
    "Pop": {"gradients", "overfits_eight_rows", "all_modalities_missing"},
    "BPR": {"one_item_catalogue", "all_modalities_missing"},
}


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
@pytest.mark.parametrize("model", NAMES)
def test_a_model_passes(model: str, check: Check, case: Callable[[str], Case]) -> None:
    line = run_check(case(model), check)
    visits_only = check.name == "no_medication_leak" and not case(model).is_visits
    wanted = "not applicable" if visits_only or check.name in NOT_APPLICABLE.get(model, ()) else "passed"
    assert line.outcome == wanted, f"{model}, {check.name}: {line.tells}"
