from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from recbole_medmoe.bench.chart import interval_chart, ticks


@pytest.mark.parametrize(("low", "high"), [(.1, .5), (.3333, .3334), (0.0, 0.0), (-.2, .9), (12.0, 480.0)])
def test_ticks_enclose_the_values_and_are_few(low: float, high: float) -> None:
    marks = ticks(low, high)
    assert marks[0] <= low + 1e-9 and marks[-1] >= high - 1e-9
    assert 2 <= len(marks) <= 8


def test_chart_is_well_formed_and_escapes_names() -> None:
    text = interval_chart("MAP@5", [("A<b>", .4, .3, .5), ("B & C", .2, None, None)], "A<b>")
    root = ET.fromstring(text)
    labels = [node.text for node in root.iter("text") if node.get("class") == "label"]
    assert labels == ["A<b>", "B & C"]


def test_interval_ends_stand_where_the_axis_says() -> None:
    root = ET.fromstring(interval_chart("MAP@5", [("A", .3, .2, .4), ("B", .25, .2, .3)], ""))
    dots = {g[0].text: float(g.find("circle").get("cx")) for g in root.iter("g")}  # type: ignore[union-attr, arg-type]
    grid = [float(line.get("x1", "0")) for line in root.iter("line") if line.get("class") == "grid"]
    ticks_at = dict(zip([t.text for t in root.iter("text") if t.get("class") == "tick"], grid))
    assert dots["A"] == pytest.approx(ticks_at["0.30"], abs=.1)


def test_a_model_without_interval_gets_a_dot_only() -> None:
    root = ET.fromstring(interval_chart("MAP@5", [("A", .3, None, None), ("B", .2, .1, .3)], ""))
    assert [len(list(g.iter("line"))) for g in root.iter("g")] == [0, 3]


def test_the_chart_says_its_numbers_in_words() -> None:
    root = ET.fromstring(interval_chart("MAP@5", [("A", .3, .2, .4)], ""))
    assert root.get("aria-label") == "MAP@5 with 95 % intervals: A 0.300 (0.200–0.400)"
