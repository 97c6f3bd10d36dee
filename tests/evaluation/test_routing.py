"""Gate diagnostics against loops over rows."""
from __future__ import annotations

import math

import numpy as np
import pytest

from recbole_medmoe.evaluation import routing_table


@pytest.fixture()
def gates() -> dict[str, np.ndarray]:
    drawn = np.random.default_rng(0)
    experts = drawn.dirichlet(np.ones(4), size=60)
    experts[::3, 1] = 0   # as a top-k gate leaves it
    return {"experts": experts / experts.sum(1, keepdims=True), "branches": drawn.dirichlet(np.ones(2), size=60)}


def _entropy(weights: list[float]) -> float:
    return -sum(weight * math.log(weight) for weight in weights if weight > 0)


def test_the_whole_equals_loops_over_rows(gates: dict[str, np.ndarray]) -> None:
    told = routing_table(gates, {})
    rows = gates["experts"].tolist()
    load = [sum(row[expert] for row in rows) / 60 for expert in range(4)]
    assert told["load"] == pytest.approx(load)
    assert told["entropy"] == pytest.approx(sum(map(_entropy, rows)) / 60)
    assert told["effective"] == pytest.approx(sum(math.exp(_entropy(row)) for row in rows) / 60)
    assert told["used"] == pytest.approx(math.exp(_entropy(load)))
    assert told["first"] == pytest.approx([sum(row.index(max(row)) == expert for row in rows) / 60
                                           for expert in range(4)])
    assert told["branches_mean"] == pytest.approx([sum(row[0] for row in gates["branches"]) / 60,
                                                   sum(row[1] for row in gates["branches"]) / 60])


def test_groups_equal_loops_over_their_rows(gates: dict[str, np.ndarray]) -> None:
    drawn = np.random.default_rng(1)
    masks = {"a": drawn.random(60) < 0.7, "b": drawn.random(60) < 0.5}
    told = routing_table(gates, masks, min_group=5)["groups"]
    assert list(told) == ["a", "b"]
    for name, mask in masks.items():
        inside = [row for row in range(60) if mask[row]]
        assert told[name]["n"] == len(inside)
        for gate, weights in gates.items():
            wanted = [sum(weights[row, place] for row in inside) / len(inside) for place in range(weights.shape[1])]
            assert told[name][gate] == pytest.approx(wanted)
        lost = [_entropy(gates["experts"][row].tolist()) for row in inside]
        assert told[name]["entropy"] == pytest.approx(sum(lost) / len(inside))
        assert told[name]["effective"] == pytest.approx(sum(map(math.exp, lost)) / len(inside))


@pytest.mark.parametrize("weights, effective, used", [
    ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 1, 3),
    ([[1 / 3] * 3] * 3, 3, 3),
    ([[1, 0, 0]] * 3, 1, 1),
])
def test_experts_in_use_of_a_row_and_of_all_rows(weights: list[list[float]], effective: float, used: float) -> None:
    told = routing_table({"experts": np.array(weights, dtype=float)}, {})
    assert told["effective"] == pytest.approx(effective) and told["used"] == pytest.approx(used)


def test_groups_below_the_floor_are_left_out(gates: dict[str, np.ndarray]) -> None:
    masks = {"twenty": np.arange(60) < 20, "nineteen": np.arange(60) < 19, "none": np.zeros(60, dtype=bool)}
    assert list(routing_table(gates, masks)["groups"]) == ["twenty"]
    assert "none" not in routing_table(gates, masks, min_group=0)["groups"]


def test_a_model_without_branches_has_none(gates: dict[str, np.ndarray]) -> None:
    told = routing_table({"experts": gates["experts"]}, {"all": np.ones(60, dtype=bool)})
    assert "branches_mean" not in told and "branches" not in told["groups"]["all"]


@pytest.mark.parametrize("rows, mask", [(0, 0), (60, 59)])
def test_weights_and_masks_that_do_not_fit_are_refused(rows: int, mask: int, gates: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="rows"):
        routing_table({"experts": gates["experts"][:rows]}, {"a": np.ones(mask, dtype=bool)})


def test_gates_of_different_length_are_refused(gates: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="experts: 60, branches: 59 rows"):
        routing_table({**gates, "branches": gates["branches"][1:]}, {})
