"""Top-K lists of score blocks."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from recbole_medmoe.errors import TrainingError
from recbole_medmoe.evaluation.topk import Lots, find_hits, forbid, top_items


def even(items: int) -> torch.Tensor:
    """Candidates: every item with an even id."""
    return torch.arange(items) % 2 == 0


def test_pad_and_history_are_never_listed() -> None:
    scores = torch.arange(10.0).repeat(2, 1)
    forbid(scores, torch.tensor([9, 18, 17]))
    assert top_items(scores, 3).tolist() == [[8, 7, 6], [9, 6, 5]]


def test_a_list_with_too_few_items_ends_in_pad() -> None:
    scores = torch.full((1, 4), -torch.inf)
    scores[0, 2] = 1.0
    assert top_items(scores, 6).tolist() == [[2, 0, 0, 0, 0, 0]]


def test_the_best_candidates_are_listed_in_order() -> None:
    scores = torch.rand(50, 40, generator=torch.Generator().manual_seed(0))
    expected = scores.masked_fill(~even(40), -1.0)
    expected[:, 0] = -1.0
    assert top_items(scores, 5, Lots(even(40))).tolist() == expected.topk(5).indices.tolist()


def test_tied_candidates_are_listed_equally_often() -> None:
    items = top_items(torch.zeros(4000, 41), 5, Lots(even(41)))
    times = np.bincount(items.ravel(), minlength=41)[2::2]
    assert times.sum() == 20_000
    assert times.min() > 850 and times.max() < 1150  # 1000 each, sd 31


def test_lots_do_not_depend_on_the_size_of_a_block() -> None:
    whole, parts = Lots(even(30)), Lots(even(30))
    drawn = torch.cat([parts.draw(3), parts.draw(1), parts.draw(6)])
    assert torch.equal(whole.draw(10), drawn)


def test_scores_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(TrainingError, match="not numbers"):
        top_items(torch.tensor([[0.0, 1.0, float("nan")]]), 1)


def test_hits_are_the_listed_positives_of_the_own_row() -> None:
    generator = np.random.default_rng(3)
    scores = torch.from_numpy(generator.normal(size=(60, 41)))
    positives = [set(generator.choice(np.arange(1, 41), size=1 + row % 20, replace=False).tolist())
                 for row in range(60)]
    lists = top_items(scores, 12)
    expected = [[item in positives[row] for item in lists[row]] for row in range(60)]
    keys = np.array([row * 41 + item for row, items in enumerate(positives) for item in items])
    assert find_hits(scores, lists, keys).tolist() == expected


def test_pad_is_never_a_hit() -> None:
    assert find_hits(torch.zeros(1, 5), np.array([[2, 0, 0]]), np.array([0, 2])).tolist() == [[True, False, False]]


def test_no_positives_at_all_give_no_hits() -> None:
    assert not find_hits(torch.zeros(1, 5), np.array([[1, 2]]), np.zeros(0, dtype=np.int64)).any()
