"""Users written by hand, with the items they had."""
from __future__ import annotations

from typing import Any

import pytest

from recbole_medmoe.data.history_patients import HistoryPatients
from recbole_medmoe.errors import DataError


def made() -> HistoryPatients:
    return HistoryPatients((), {}, {}, ["[PAD]", "apple", "banana"])


def test_items_become_ids_oldest_first_and_unknown_ones_are_counted() -> None:
    patients = made()
    ids, there = patients.encode([{"history": ["banana", "plum", "apple"]}, {"history": None}])["history"]
    assert ids.tolist() == [[2, 1], [0, 0]] and there.tolist() == [True, False]
    assert patients.keys == ["history"] and patients.unknown == 1


def test_nobody_with_a_history_still_gives_a_column() -> None:
    assert made().encode([{"history": []}])["history"][0].tolist() == [[0]]


@pytest.mark.parametrize("history", ["apple", [1], 3])
def test_a_history_that_is_no_list_of_names_is_refused(history: Any) -> None:
    with pytest.raises(DataError, match="patient 1: 'history' must be a list of item names"):
        made().encode([{"history": history}])
