"""Medication metrics against scikit-learn and plain loops."""
from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, jaccard_score

from recbole_medmoe.errors import TrainingError
from recbole_medmoe.evaluation import medication
from recbole_medmoe.evaluation.medication import (average_precision, interactions, overlap, threshold_curve,
                                                  tune_threshold)

VISITS, MEDICATIONS = 60, 23


def _draw(seed: int, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.random((VISITS, MEDICATIONS)) < .3
    truth[~truth.any(axis=1), 0] = True
    scores = generator.normal(size=truth.shape) + truth
    return (scores.round() if tied else scores).astype(np.float32), truth


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_prauc_is_scikit_learns_average_precision(seed: int, tied: bool) -> None:
    scores, truth = _draw(seed, tied)
    expected = [average_precision_score(row, values) for row, values in zip(truth, scores)]
    np.testing.assert_allclose(average_precision(scores, truth), expected, rtol=0, atol=1e-9)


def test_prauc_of_equal_scores_is_the_share_of_positives() -> None:
    _, truth = _draw(0)
    np.testing.assert_allclose(average_precision(np.zeros(truth.shape), truth), truth.mean(axis=1))


def test_prauc_does_not_depend_on_how_many_visits_are_sorted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, truth = _draw(1, tied=True)
    whole = average_precision(scores, truth)
    monkeypatch.setattr(medication, "_CELLS", 3 * MEDICATIONS)
    np.testing.assert_array_equal(average_precision(scores, truth), whole)


def test_jaccard_and_f1_are_scikit_learns() -> None:
    scores, truth = _draw(2)
    chosen = scores > .5
    jaccard, f1 = overlap(chosen, truth)
    pairs = list(zip(truth, chosen))
    np.testing.assert_allclose(jaccard, [jaccard_score(*pair, zero_division=0) for pair in pairs], rtol=0, atol=1e-9)
    np.testing.assert_allclose(f1, [f1_score(*pair, zero_division=0) for pair in pairs], rtol=0, atol=1e-9)


def test_an_empty_set_scores_nothing() -> None:
    truth = np.array([[True, False]])
    assert [values.tolist() for values in overlap(~truth & False, truth)] == [[0], [0]]


@pytest.mark.parametrize("half", ["upper", "lower", "both"])
def test_interactions_are_counted_as_by_a_loop_over_pairs(half: str) -> None:
    chosen = _draw(3)[1]
    ddi = np.random.default_rng(3).random((MEDICATIONS, MEDICATIONS)) < .2
    listed = np.triu(ddi) if half == "upper" else np.tril(ddi.T) if half == "lower" else ddi | ddi.T
    upper = np.triu(listed | listed.T, 1)
    expected = [[sum(upper[pair] for pair in combinations(np.flatnonzero(row), 2)),
                 len(list(combinations(np.flatnonzero(row), 2)))] for row in chosen]
    assert np.stack(interactions(chosen, listed), axis=1).tolist() == expected


def test_sets_of_one_have_no_pair() -> None:
    chosen = np.eye(3, dtype=bool)
    assert [values.tolist() for values in interactions(chosen, np.ones((3, 3), dtype=bool))] == [[0] * 3, [0] * 3]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_is_the_best_of_all_that_could_be_tried(seed: int, tied: bool) -> None:
    scores, truth = _draw(seed, tied)
    found = tune_threshold(scores, truth)
    every = np.unique(scores)
    reached = [overlap(scores >= level, truth)[0].mean() for level in every]
    assert overlap(scores >= found, truth)[0].mean() == pytest.approx(max(reached), abs=1e-12)


def test_the_threshold_lies_halfway_between_the_scores_that_it_parts() -> None:
    assert tune_threshold(np.array([[3.0, 2.0, 0.0]]), np.array([[True, True, False]])) == 1.0


def test_of_equally_good_thresholds_the_highest_is_taken() -> None:
    scores, truth = np.array([[4.0, 3.0, 2.0, 1.0]]), np.array([[True, False, False, True]])
    # 1/2 for the first alone, and for all four
    assert tune_threshold(scores, truth) == 3.5


def test_where_everything_is_right_the_threshold_is_the_lowest_score() -> None:
    assert tune_threshold(np.array([[2.0, 1.0]]), np.array([[True, True]])) == 1.0


def test_medications_ruled_out_by_minus_infinity_are_taken_together() -> None:
    scores, truth = np.array([[1.0, -np.inf, -np.inf, -np.inf]]), np.array([[True, True, False, False]])
    assert tune_threshold(scores, truth) == 1.0   # 1/2 as is 2/4; a part of the equal ones would reach 2/2


def test_neighbouring_floats_are_parted() -> None:
    low = 1.0
    high = np.nextafter(low, 2)
    assert tune_threshold(np.array([[high, low]]), np.array([[True, False]])) == high


def test_a_visit_without_medications_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one medication"):
        average_precision(np.zeros((1, 2)), np.zeros((1, 2), dtype=bool))


def test_scores_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(TrainingError, match="not numbers"):
        tune_threshold(np.array([[np.nan, 1.0]]), np.array([[True, False]]))


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="both be"):
        overlap(np.ones((1, 2), dtype=bool), np.ones((1, 3), dtype=bool))


def test_without_visits_there_is_nothing_to_tune() -> None:
    with pytest.raises(ValueError, match="no visit"):
        tune_threshold(np.zeros((0, 2)), np.zeros((0, 2), dtype=bool))


@pytest.mark.parametrize("tied", [False, True])
def test_a_threshold_curve_tells_the_sets_of_a_plain_loop(tied: bool) -> None:
    scores, truth = _draw(3, tied)
    chosen = tune_threshold(scores, truth)
    told = threshold_curve(scores, truth, chosen)
    expected = {}
    for size in (1, 2, 3, 4, 6, 8, 11, 15, 20):
        level = sorted(scores.ravel().tolist(), reverse=True)[size * VISITS - 1]
        sets = [[value >= level for value in row] for row in scores.tolist()]
        jaccard = np.mean([jaccard_score(row, found) for row, found in zip(truth, sets)])
        expected[np.mean([sum(found) for found in sets])] = jaccard
    np.testing.assert_allclose(told["sizes"], sorted(expected), rtol=0, atol=1e-9)
    np.testing.assert_allclose(told["jaccard"], [expected[size] for size in sorted(expected)], rtol=0, atol=1e-9)
    sets = scores.astype(float) >= chosen
    assert told["chosen"] == pytest.approx([sets.sum(axis=1).mean(), overlap(sets, truth)[0].mean()])


def test_no_point_of_a_threshold_curve_is_above_the_threshold_that_was_tuned() -> None:
    scores, truth = _draw(4)
    told = threshold_curve(scores, truth, tune_threshold(scores, truth))
    assert max(told["jaccard"]) <= told["chosen"][1] + 1e-12


def test_a_threshold_curve_of_one_medication_has_one_point() -> None:
    told = threshold_curve(np.ones((3, 1)), np.ones((3, 1), dtype=bool), .5)
    assert told == {"sizes": [1.0], "jaccard": [1.0], "chosen": [1.0, 1.0]}
