from __future__ import annotations

from typing import Any

import pytest

from recbole_medmoe.bench.protocol import search_sentence


def _record(trials: int | None, minutes: float | None = None) -> dict[str, Any]:
    searched = {"trials": trials, "minutes": minutes, "algorithm": "tpe"}
    return {"training": {"search": None if trials is None else searched}}


@pytest.mark.parametrize(("rows", "expected"), [
    ({"A": None, "B": None}, None),
    ({"A": 20, "B": 20}, "The parameters of every row were searched on validation: 20 trials, tpe."),
    ({"A": 20, "Pop": 0}, "The parameters of every row were searched on validation: 20 trials, tpe; Pop: nothing to "
                          "set."),
    ({"A": 20, "B": 5}, "The rows were not tuned alike, which favours those with more trials. A: 20 trials, tpe; "
                        "B: 5 trials, tpe."),
    ({"A": 20, "B": None}, "The rows were not tuned alike, which favours those with more trials. A: 20 trials, tpe; "
                           "B: not tuned.")])
def test_a_table_says_whether_its_rows_were_tuned_alike(rows: dict[str, int | None], expected: str | None) -> None:
    assert search_sentence({name: [_record(trials)] * 2 for name, trials in rows.items()}) == expected


def test_time_is_the_budget_where_it_was_given() -> None:
    told = search_sentence({"A": [_record(17, 30.0)], "B": [_record(41, 30.0)]})
    assert told == "The parameters of every row were searched on validation: 30 minutes, tpe."


def test_seeds_of_one_row_that_were_tuned_differently_are_told() -> None:
    told = search_sentence({"A": [_record(20), _record(None)]})
    assert told is not None and "A: not tuned and 20 trials, tpe." in told
