"""Models beside each other."""
from __future__ import annotations

import numpy as np
import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.evaluation.comparison import compare
from recbole_medmoe.evaluation.ratios import ratio_columns
from recbole_medmoe.evaluation.statistics import bootstrap_interval, effect_size, holm, paired_bootstrap, paired_t

ROWS = np.arange(40)
METRIC = "ndcg@5"


def run(seed: int, shift: float = 0.0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return ROWS, {METRIC: np.random.default_rng(seed).random(40) + shift, "recall@5": np.full(40, 0.5)}


def test_seeds_are_averaged_per_row_before_patients_are_drawn() -> None:
    found = compare({"A": [run(0), run(1)]}, METRIC, draws=200)["A"]
    expected = (run(0)[1][METRIC] + run(1)[1][METRIC]) / 2
    assert found.intervals[METRIC] == bootstrap_interval(expected, ROWS, 200)


def test_the_spread_over_seeds_is_apart() -> None:
    found = compare({"A": [run(0), run(1)], "B": [run(2)]}, METRIC, draws=50)
    means = [run(0)[1][METRIC].mean(), run(1)[1][METRIC].mean()]
    assert found["A"].spread[METRIC] == pytest.approx(np.std(means, ddof=1))
    assert found["B"].spread[METRIC] is None


def test_each_model_is_tested_against_the_first_with_holm() -> None:
    found = compare({"A": [run(0)], "B": [run(1, 0.2)], "C": [run(2)]}, METRIC, draws=300, seed=5)
    base = run(0)[1][METRIC]
    paired = [paired_bootstrap(run(*args)[1][METRIC], base, ROWS, 300, 5) for args in ((1, 0.2), (2,))]
    assert found["A"].against is None
    assert np.array([found[name].against.paired for name in "BC"]) == pytest.approx(np.array(paired))
    assert [found[name].against.p_holm for name in "BC"] == pytest.approx(holm([result.p for result in paired]))
    assert found["B"].against.t_test == paired_t(run(1, 0.2)[1][METRIC], base, ROWS)
    assert found["B"].against.effect == effect_size(run(1, 0.2)[1][METRIC], base, ROWS)


def test_every_model_is_held_against_the_best_of_each_metric_with_holm() -> None:
    models = {"A": [run(0)], "B": [run(1, 0.2)], "C": [run(2)]}
    found = compare(models, METRIC, draws=300, seed=5)
    best = run(1, 0.2)[1][METRIC]
    p = [paired_bootstrap(run(seed)[1][METRIC], best, ROWS, 300, 5).p for seed in (0, 2)]
    assert found.below_best[METRIC] == pytest.approx(dict(zip("AC", holm(p))))
    assert set(found.below_best["recall@5"].values()) == {1.0}   # all are equal there


def test_pooled_metrics_are_held_against_the_best_by_their_ratios() -> None:
    generator = np.random.default_rng(4)
    parts = {name: (generator.random(40) * level, 1 + generator.random(40)) for name, level in (("A", 1.0), ("B", .8))}
    columns = {name: {METRIC: generator.random(40), **ratio_columns("ddirate", *its)} for name, its in parts.items()}
    found = compare({name: [(ROWS, its)] for name, its in columns.items()}, METRIC, draws=200, seed=1)
    drawn = np.random.default_rng(1).integers(0, 40, size=(200, 40))
    ratios = {name: its["ddirate/numerator"][drawn].sum(1) / its["ddirate/denominator"][drawn].sum(1)
              for name, its in columns.items()}
    gaps = ratios["B"] - ratios["A"]
    tail = min((gaps <= 0).sum(), (gaps >= 0).sum())
    assert found.below_best["ddirate"] == pytest.approx({"B": min(1.0, 2 * (tail + 1) / 201)})


def test_a_model_that_equals_the_first_has_p_one() -> None:
    found = compare({"A": [run(0)], "B": [run(0)]}, METRIC, draws=200)["B"].against
    assert found.paired == (0.0, 0.0, 0.0, 1.0)


def test_rows_in_another_order_are_the_same_rows() -> None:
    ids, columns = run(1)
    order = np.random.default_rng(9).permutation(40)
    shuffled = (ids[order], {name: values[order] for name, values in columns.items()})
    straight = compare({"A": [run(0)], "B": [run(1)]}, METRIC, draws=100)
    assert compare({"A": [run(0)], "B": [shuffled]}, METRIC, draws=100) == straight


def test_row_ids_may_be_tokens() -> None:
    tokens = np.array([f"p{row:04d}" for row in ROWS])
    named = compare({"A": [(tokens, run(0)[1])], "B": [(tokens, run(1)[1])]}, METRIC, draws=100)
    assert named == compare({"A": [run(0)], "B": [run(1)]}, METRIC, draws=100)


def test_rows_of_one_patient_are_drawn_together() -> None:
    patients = {row: row // 4 for row in ROWS.tolist()}
    found = compare({"A": [run(0)]}, METRIC, clusters=patients, draws=100)
    assert found.clusters == 10
    assert found["A"].intervals[METRIC] == pytest.approx(bootstrap_interval(run(0)[1][METRIC], ROWS // 4, 100))


def test_other_rows_are_refused() -> None:
    ids, columns = run(1)
    with pytest.raises(DataError, match="B was scored on other rows"):
        compare({"A": [run(0)], "B": [(ids + 1, columns)]}, METRIC)


def test_a_model_without_the_primary_metric_is_refused() -> None:
    with pytest.raises(DataError, match="A has no values per row of auc"):
        compare({"A": [run(0)]}, "auc")


def test_no_model_is_refused() -> None:
    with pytest.raises(DataError, match="no model"):
        compare({}, METRIC)
