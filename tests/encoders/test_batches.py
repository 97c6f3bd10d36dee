from __future__ import annotations

import numpy as np

from recbole_medmoe.encoders.batches import row_batches, token_batches

LENGTHS = np.random.default_rng(0).integers(1, 200, 300).tolist()


def test_every_row_comes_once() -> None:
    assert sorted(row for batch in token_batches(LENGTHS, 1000) for row in batch) == list(range(300))


def test_no_batch_is_larger_than_the_budget_with_its_padding() -> None:
    assert max(len(batch) * max(LENGTHS[row] for row in batch) for batch in token_batches(LENGTHS, 1000)) <= 1000


def test_the_longest_rows_come_first() -> None:
    widest = [max(LENGTHS[row] for row in batch) for batch in token_batches(LENGTHS, 1000)]
    assert widest == sorted(widest, reverse=True)


def test_little_is_padded() -> None:
    padded = sum(len(batch) * max(LENGTHS[row] for row in batch) for batch in token_batches(LENGTHS, 2000))
    assert padded <= 1.1 * sum(LENGTHS)


def test_a_row_longer_than_the_budget_has_its_own_batch() -> None:
    assert token_batches([5, 50, 5], 10) == [[1], [0, 2]]


def test_row_batches_cover_a_last_short_run() -> None:
    assert [list(rows) for rows in row_batches(5, 2)] == [[0, 1], [2, 3], [4]]
