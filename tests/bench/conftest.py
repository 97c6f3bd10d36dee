"""A comparison written by hand."""
from __future__ import annotations

import pytest

from recbole_medmoe.bench.sections import Difference, Estimate, Group, ModelRow, Section

_SCORES = (("MedMoE", .402, None), ("FeatureRidge", .431, (.029, .008, .050, .012)),
           ("MoEOnly", .361, (-.041, -.062, -.020, .0004)), ("LLMOnly", .398, (-.004, -.020, .013, .61)),
           ("Pop", .198, (-.204, -.240, -.170, .0001)))


def _row(name: str, value: float, gap: tuple[float, float, float, float] | None) -> ModelRow:
    metrics = {}
    for metric, factor in (("precision@5", .9), ("recall@5", .6), ("ndcg@5", 1.3), ("map@5", 1.0), ("precision@10", .8),
                           ("map@10", .95)):
        middle = value * factor
        metrics[metric] = Estimate(middle, middle - .03, middle + .03)
    metrics["itemcoverage@5"] = Estimate(.8)
    return ModelRow(name, (0, 1), metrics, Difference(*gap) if gap else None, .004,
                    {"training": 38.2, "evaluation": .4, "memory": 1210.0, "parameters": 182_345, "trainable": 182_345},
                    (f"{name}-0", f"{name}-1"), f"recbole-medmoe --model {name} --dataset healthfood --seeds 0,1")


@pytest.fixture
def section() -> Section:
    """Five models, two seeds, two groups of which one is too small."""
    return Section(
        "healthfood", "cold_patient", "map@5", {"sha256": "0123456789abcdef", "users": 1625},
        tuple(_row(*scores) for scores in _SCORES),
        (Group("cold patient", 325, {name: value for name, value, _ in _SCORES}), Group("condition: gout", 7, {})),
        ("325 test rows; every item of the catalogue is ranked.", "Chosen on validation MAP@5."),
        {"python": "3.11.7", "torch": "2.13.0"}, ("Labels are a simulation by rules, not clinical truth.",))
