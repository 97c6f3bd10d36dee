"""How far two score tensors are apart, and what is no number."""
from __future__ import annotations

import pytest
import torch

from recbole_medmoe.checks.measures import differing, gap, want_close, want_finite, want_finite_metrics
from recbole_medmoe.checks.report import CheckFailed

INF, NAN = float("inf"), float("nan")


def test_the_gap_is_a_share_of_the_largest_score() -> None:
    assert gap(torch.tensor([200., 1.]), torch.tensor([200., 2.])) == pytest.approx(1 / 200)


def test_small_scores_are_compared_as_they_are() -> None:
    assert gap(torch.tensor([.1, .2]), torch.tensor([.1, .3])) == pytest.approx(.1)


def test_the_same_infinity_is_no_gap_and_nan_is_an_endless_one() -> None:
    assert gap(torch.tensor([-INF, 1.]), torch.tensor([-INF, 1.])) == 0
    assert gap(torch.tensor([NAN]), torch.tensor([NAN])) == INF


def test_other_shapes_and_wide_gaps_are_told_in_numbers() -> None:
    with pytest.raises(CheckFailed, match=r"x: shapes \(2,\) and \(3,\)"):
        want_close(torch.zeros(2), torch.zeros(3), "x")
    with pytest.raises(CheckFailed, match="x: differ by 0.5 of the largest score, at most 1e-05 is allowed"):
        want_close(torch.zeros(2), torch.full((2,), .5), "x")


def test_scores_and_metrics_that_are_no_numbers_are_counted_and_named() -> None:
    with pytest.raises(CheckFailed, match="x: 2 of 3 scores are not finite"):
        want_finite(torch.tensor([1., NAN, INF]), "x")
    with pytest.raises(CheckFailed, match="x: ndcg@5 = nan"):
        want_finite_metrics({"map@5": .1, "ndcg@5": NAN}, "x")


def test_tensors_that_differ_are_named_with_the_largest_difference() -> None:
    first = {"same": torch.ones(2), "other": torch.tensor([1., 2.]), "gone": torch.ones(1), "wide": torch.ones(2)}
    second = {"same": torch.ones(2), "other": torch.tensor([1., 4.]), "new": torch.ones(1), "wide": torch.ones(3)}
    assert differing(first, second) == ["gone", "new", "other (by 2)", "wide"]
