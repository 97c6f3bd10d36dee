"""Rows of a prefix with options: where their tokens stand and what these see."""
from __future__ import annotations

import torch

from recbole_medmoe.encoders.packing import Row, Slots, padded, runs, told_by

CPU = torch.device("cpu")
ROW = Row(7, [10, 11, 12, 13], [(0, [20, 21, 22]), (2, [30, 31, 32]), (3, [40])])
SHORT = Row(8, [50], [(1, [60, 61])], first=False)


def test_a_row_reads_all_but_the_last_tokens_of_its_options() -> None:
    assert ROW.ids == [10, 11, 12, 13, 20, 21, 30, 31] and (ROW.length, ROW.width) == (8, 5)


def test_positions_are_those_of_each_whole_prompt() -> None:
    slots = Slots.of_rows([ROW], CPU)
    assert slots.position.tolist() == [[0, 1, 2, 3, 4, 5, 4, 5]]
    assert slots.branch.tolist() == [[0, 0, 0, 0, 1, 1, 2, 2]]


def test_a_token_sees_the_prefix_and_its_own_option_up_to_itself() -> None:
    slots = Slots.of_rows([ROW], CPU)
    assert slots.visible(slots)[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0, 1, 0],
        [1, 1, 1, 1, 0, 0, 1, 1]]


def test_a_window_is_counted_in_positions() -> None:
    slots = Slots.of_rows([ROW], CPU)
    assert slots.visible(slots, 3)[0, 0, -1].int().tolist() == [0, 0, 0, 1, 0, 0, 1, 1]


def test_padding_is_seen_by_no_token_and_sees_the_first_one() -> None:
    slots = Slots.of_rows([ROW, SHORT], CPU)
    seen = slots.visible(slots)[1, 0]
    assert slots.branch[1].tolist() == [-1] * 6 + [0, 1]
    assert not bool(seen[:, :6].any()) and seen[:, 6].tolist() == [True] * 8


def test_both_parts_beside_each_other_show_what_the_row_shows() -> None:
    before, options = Slots.of_prefixes([ROW], CPU), Slots.of_options([ROW], CPU)
    whole = Slots.of_rows([ROW], CPU)
    assert torch.equal(options.visible(options.behind(before)), whole.visible(whole)[:, :, 3:])


def test_a_prefix_that_ran_before_is_not_counted_again() -> None:
    assert Slots.of_rows([SHORT], CPU).counted.tolist() == [[False, True]]


def test_each_token_is_told_by_the_one_before_it() -> None:
    told = told_by([SHORT, ROW], CPU)
    assert list(zip(told.row.tolist(), told.slot.tolist(), told.token.tolist())) == [
        (0, 0, 60), (0, 1, 61), (1, 0, 20), (1, 1, 21), (1, 2, 22), (1, 0, 30), (1, 3, 31), (1, 4, 32), (1, 0, 40)]
    assert told.question.tolist() == [8] * 2 + [7] * 7 and told.option.tolist() == [1, 1, 0, 0, 0, 2, 2, 2, 3]


def test_runs_of_options_take_no_more_slots_than_asked() -> None:
    assert [[number for number, _ in run] for run in runs(ROW.options, 3)] == [[0], [2, 3]]
    assert [[number for number, _ in run] for run in runs(ROW.options, 5)] == [[0, 2, 3]]


def test_an_option_that_is_too_long_is_a_run_of_its_own() -> None:
    assert [[number for number, _ in run] for run in runs(ROW.options, 1)] == [[0], [2], [3]]


def test_tensors_are_padded_on_the_side_that_is_asked_for() -> None:
    rows = [torch.tensor([1, 2, 3]), torch.tensor([4])]
    assert padded(rows, False, -1).tolist() == [[1, 2, 3], [4, -1, -1]]
    assert padded(rows, True, -1).tolist() == [[1, 2, 3], [-1, -1, 4]]
