"""Rows of different lengths, padded for a batch only."""
from __future__ import annotations

import pytest
import torch

from recbole_medmoe.layers.sets import SetEmbedding, multi_hot, padded_rows, set_shares

VALUES, OFFSETS = torch.tensor([4, 5, 6, 7]), torch.tensor([0, 0, 1, 3, 4])  # [], [4], [5, 6], [7]


def test_rows_are_as_wide_as_the_longest_of_them() -> None:
    assert padded_rows(VALUES, OFFSETS, torch.tensor([3, 1])).tolist() == [[7], [4]]
    assert padded_rows(VALUES, OFFSETS, torch.tensor([2, 0, 3])).tolist() == [[5, 6], [0, 0], [7, 0]]


def test_at_the_end_the_last_id_stands_last() -> None:
    assert padded_rows(VALUES, OFFSETS, torch.tensor([2, 0, 3]), at_end=True).tolist() == [[5, 6], [0, 0], [0, 7]]


@pytest.mark.parametrize("rows", [torch.tensor([0, 0]), torch.zeros(0, dtype=torch.int64)])
def test_empty_rows_keep_one_column(rows: torch.Tensor) -> None:
    assert padded_rows(VALUES, OFFSETS, rows).shape == (len(rows), 1)


def test_rows_of_no_values_at_all_are_zeros() -> None:
    assert padded_rows(VALUES[:0], torch.tensor([0, 0]), torch.tensor([[0], [0]])).tolist() == [[[0]], [[0]]]


def test_rows_may_be_asked_for_in_any_shape() -> None:
    found = padded_rows(VALUES, OFFSETS, torch.tensor([[0, 2], [3, 1]]))
    assert found.tolist() == [[[0, 0], [5, 6]], [[7, 0], [4, 0]]]


def test_multi_hot_marks_each_id_once_and_zero_never() -> None:
    assert multi_hot(torch.tensor([[2, 2, 0], [0, 0, 0]]), 3).tolist() == [[0, 0, 1], [0, 0, 0]]


def test_shares_count_the_sets_that_are_there() -> None:
    ids = torch.tensor([[[1, 2], [2, 0]], [[1, 0], [3, 0]], [[3, 1], [2, 2]]])
    there = torch.tensor([[True, True], [False, True], [False, False]])
    assert set_shares(ids, there, 4).tolist() == [[0, .5, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_an_embedding_of_sets_is_the_sum_of_their_vectors() -> None:
    bag = SetEmbedding(5, 3)
    ids = torch.tensor([[[2, 4, 0], [0, 0, 0]], [[3, 0, 0], [1, 0, 0]]])
    found = bag(ids)
    assert found.shape == (2, 2, 3)
    assert torch.allclose(found[0, 0], bag.weight[2] + bag.weight[4]) and torch.equal(found[1, 0], bag.weight[3])
    assert not found[0, 1].any()


def test_no_gradient_reaches_the_vector_of_none() -> None:
    bag = SetEmbedding(3, 2)
    bag(torch.tensor([[1, 0]])).sum().backward()
    assert bag.weight.grad is not None and bag.weight.grad.tolist() == [[0, 0], [1, 1], [0, 0]]
