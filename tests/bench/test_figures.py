from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from recbole_medmoe.bench.figures import (Block, Figure, Line, Panel, Series, Spot, against_cost, curve, fall, forest,
                                          heat, lines, shares, strip)
from recbole_medmoe.bench.figures.frame import WIDTH, Scale


def _figures() -> dict[str, Figure]:
    three = (Line("cold_patient", .02, .01, .03, "up"), Line("warm <b>", -.01, -.02, .0), Line("no interval", .005))
    return {
        "forest": forest("difference in MAP@5", [Block("A − B", three), Block("A − C", three)], zero=True, margin=.01),
        "panels": forest("lists", [Block("Coverage", (Line("A", .2, .1, .3, "first"),)),
                                   Block("Gini", (Line("A", .9),))], own_scales=True),
        "strip": strip("difference in MAP@5", [("A − B", {"own": .02, "D01": .01, "D02": -.01})], "own"),
        "curve": curve("MAP@5", [("A", [(.05, .1, .08, .12), (1.0, .3, .28, .32)]), ("B", [(.05, .2, .1, .3)])],
                       "patients"),
        "fall": fall("MAP@5", [("BowRidge", .6, .3), ("LLMOnly", .5, .45)], ("cold_patient", "phrasing")),
        "cost": against_cost("MAP@5", [Spot("Pop", .02, .2, .18, .22), Spot("A <b>", 31.0, .4), Spot("B", 31.5, .401),
                                       Spot("slow", 9_000.0, .39, .3, .5)], True),
        "lines": lines("epoch", "MAP@5", [Series("A", ((1.0, .1), (2.0, .3)), (2.0, .3)), Series("one", ((1.0, .2),))]),
        "shares": shares("weight", [("all (20)", (.7, .3)), ("gout (9)", (.1, .9))], ("experts", "LLM")),
        "heat": heat("of the choices", ["block 0", "a <very> long name of a line"], [
            Panel("up_proj", ("1", "2"), ((.2, .8), (.5, .5))), Panel("down_proj", ("1", "2"), ((.4, .6), (0., 1.)))]),
        "wide heat": heat("nats", [str(number) for number in range(30)], [
            Panel(kind, tuple(map(str, range(30))), ((0.0,) * 30,) * 30) for kind in ("gate_proj", "up_proj")])}


@pytest.mark.parametrize("name", _figures())
def test_a_figure_is_a_file_of_its_own_in_light_and_dark(name: str) -> None:
    text = _figures()[name].standalone()
    ET.fromstring(text)
    assert "prefers-color-scheme: dark" in text and "<title>" in text
    assert not re.search(r"href|url\(|@import|<script", text)


@pytest.mark.parametrize("name", _figures())
def test_a_figure_on_a_page_says_its_numbers_to_those_who_cannot_see_it(name: str) -> None:
    root = ET.fromstring(_figures()[name].inline())
    assert root.get("role") == "img" and re.search(r"\d", root.get("aria-label", ""))


@pytest.mark.parametrize("name", _figures())
def test_marks_stay_inside_the_canvas(name: str) -> None:
    figure = _figures()[name]
    for mark in ET.fromstring(figure.inline()).iter():
        for key, most in (("x", WIDTH), ("x1", WIDTH), ("x2", WIDTH), ("cx", WIDTH), ("y", figure.height),
                          ("y1", figure.height), ("y2", figure.height), ("cy", figure.height)):
            assert 0 <= float(mark.get(key, 0)) <= most


def test_colours_follow_what_is_shown() -> None:
    text = forest("d", [Block("", (Line("more", .1, .05, .15, "up"), Line("less", -.1, -.2, -.05, "down")))],
                  zero=True).inline()
    assert 'class="mark up"' in text and 'class="mark down"' in text and 'class="zero"' in text


def test_the_margin_is_a_band_around_zero() -> None:
    root = ET.fromstring(forest("d", [Block("", (Line("a", .0, -.02, .02),))], zero=True, margin=.01).inline())
    band, = [mark for mark in root.iter("rect") if mark.get("class") == "band"]
    zero, = [mark for mark in root.iter("line") if mark.get("class") == "zero"]
    middle = float(band.get("x", 0)) + float(band.get("width", 0)) / 2
    assert middle == pytest.approx(float(zero.get("x1", 0)), abs=.2)


def test_shares_are_drawn_to_scale() -> None:
    root = ET.fromstring(_figures()["shares"].inline())
    first, second = [float(mark.get("width", 0)) for mark in root.iter("rect")][:2]
    assert first / second == pytest.approx(7 / 3, rel=.01)


def test_a_scale_of_one_value_still_has_marks() -> None:
    scale = Scale.over([.5], 0, 100)
    assert scale.marks[0] <= .5 <= scale.marks[-1] and len(scale.marks) > 1


def test_negative_marks_bear_a_minus() -> None:
    scale = Scale.over([-.1, .1], 0, 100)
    assert scale.told(scale.marks[0]).startswith("−") and not scale.told(0.0).startswith("−")


def test_the_darkest_cell_of_a_map_is_its_largest_value() -> None:
    root = ET.fromstring(_figures()["heat"].inline())
    shades = [float(mark.get("fill-opacity", 1)) for mark in root.iter("rect")]
    assert shades[:8] == [.2, .8, .5, .5, .4, .6, 0, 1]
