from __future__ import annotations

import pytest

from recbole_medmoe.bench import numbers


@pytest.mark.parametrize(("value", "text"), [
    (.04, "40 ms"), (.1, "0.1 s"), (9.94, "9.9 s"), (9.96, "10 s"), (119.4, "119 s"), (250.0, "4 min 10 s"),
    (None, "–")])
def test_seconds(value: float | None, text: str) -> None:
    assert numbers.seconds(value) == text


def test_a_minus_is_a_minus() -> None:
    assert numbers.signed(-.05) == "−0.050"


def test_an_interval_around_zero_reads_without_a_dash_between_signs() -> None:
    assert numbers.signed_interval(-.05, .018) == "−0.050 to +0.018"


def test_an_interval_that_begins_below_zero_has_no_dash_either() -> None:
    assert [numbers.interval(.59, .652), numbers.interval(-.002, .136)] == ["0.590–0.652", "−0.002 to 0.136"]


def test_a_small_p_is_not_zero() -> None:
    assert numbers.p_value(1e-6) == "<0.001"


def test_missing_values_are_dashes_not_zeros() -> None:
    assert [numbers.score(None), numbers.signed(None), numbers.p_value(None), numbers.memory(None), numbers.count(None)
            ] == ["–"] * 5
