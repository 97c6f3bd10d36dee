"""What a section shows of a model's routers."""
from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Callable

import pytest

from recbole_medmoe.bench.evidence import Reader
from recbole_medmoe.bench.jobs import Cell
from recbole_medmoe.bench.reading import section_of
from recbole_medmoe.bench.report import render_html, render_markdown
from recbole_medmoe.bench.routers import Routers, routers_of
from recbole_medmoe.bench.suite import Suite
from recbole_medmoe.bench.suite_report import make_report, write_suite
from recbole_medmoe.quick_start.stored import StoredRun

UP, DOWN = "model.layers.28.mlp.up_proj", "model.layers.29.mlp.down_proj"


def _layer(load: list[float]) -> dict[str, Any]:
    return {"load": load, "weight": [0.5, 0.5], "entropy": 0.6, "used": 1.9, "together": [[0.75, 0.5], [0.5, 0.75]],
            "specialisation": 0.1}


ROUTING = {"tokens": 900, "load": [0.7, 0.3], "entropy": 0.6, "used": 1.9,
           "layers": {UP: _layer([0.25, 0.75]), DOWN: _layer([0.4, 0.6])},
           "groups": {"task:medqa": {"n": 20, "layers": {UP: [0.25, 0.75], DOWN: [0.4, 0.6]}, "specialisation": 0.0},
                      "task:anatomy": {"n": 20, "layers": {UP: [1.0, 0.0], DOWN: [0.4, 0.6]}, "specialisation": 0.7}}}


def _cells(figure: Any) -> list[float]:
    return [float(mark.get("fill-opacity", 1)) for mark in ET.fromstring(figure.inline()).iter("rect")]


def test_the_load_map_has_a_line_per_block_and_a_panel_per_map() -> None:
    figure = Routers("MINGMoE", ROUTING).load_figure
    assert "block 28" in figure.inline() and "up_proj" in figure.label and "down_proj" in figure.label
    assert _cells(figure)[:8] == pytest.approx([.25 / .75, 1, 0, 0, 0, 0, .4 / .75, .6 / .75], abs=.006)


def test_an_expert_with_itself_is_left_out_of_the_pairs() -> None:
    assert _cells(Routers("MINGMoE", ROUTING).together_figure)[:4] == [0, 1, 1, 0]


def test_groups_stand_by_how_far_their_choices_are_from_those_of_all() -> None:
    figure = Routers("MINGMoE", ROUTING).group_figure
    assert figure is not None and _cells(figure)[:4] == [1, 0, 0, 0]
    labels = [mark.text for mark in ET.fromstring(figure.inline()).iter("text") if mark.get("class") == "label"]
    assert labels == ["anatomy", "medqa"]


def test_the_sentence_compares_with_even_use() -> None:
    assert "the busiest of 2 experts has 70 % of the choices (even use would be 50 %)" in Routers("", ROUTING).sentence


def test_without_groups_there_is_no_map_of_them() -> None:
    assert Routers("", {**ROUTING, "groups": {}}).group_figure is None


def test_rows_without_routers_have_nothing_to_show(leave: Callable[..., Any]) -> None:
    gates = {"load": [0.5, 0.5], "entropy": 0.6, "groups": {}}
    runs = {"plain": [StoredRun.read(leave("Pop", .5))], "gates": [StoredRun.read(leave("MedMoE", .5, routing=gates))],
            "routed": [StoredRun.read(leave("MINGMoE", .6, routing=ROUTING))]}
    assert [found.name for found in routers_of(runs)] == ["routed"]


def test_the_page_shows_the_maps(leave: Callable[..., Any]) -> None:
    runs = [StoredRun.read(leave("MINGMoE", .6, routing=ROUTING)), StoredRun.read(leave("Pop", .5))]
    page = render_html([section_of(runs, ["MINGMoE", "Pop"], "Pop")])
    assert "Routers of MINGMoE" in page and "Routers of Pop" not in page and page.count('class="heat"') > 20


def test_markdown_has_the_loads_in_a_table(leave: Callable[..., Any]) -> None:
    runs = [StoredRun.read(leave("MINGMoE", .6, routing=ROUTING)), StoredRun.read(leave("Pop", .5))]
    told = render_markdown([section_of(runs, ["MINGMoE", "Pop"], "Pop")])
    assert "### Routers of MINGMoE" in told and "| MINGMoE | 0.700 | 0.300 |" in told


@pytest.mark.parametrize("kind", [{"figure": "tables", "reference": "B"},
                                  {"figure": "differences", "comparisons": [
                                      {"row": "A", "against": ["B"], "called": "b"}]}])
def test_a_suite_leaves_the_maps_as_files_that_its_readme_shows(leave: Callable[..., Any], tmp_path: Path,
                                                                kind: dict[str, Any]) -> None:
    suite = Suite.model_validate({"title": "t", "question": "q?", "dataset": "food", "seeds": [0], "splits": ["warm"],
                                  "metrics": ["map@5"], "rows": {"A": {}, "B": {}}, "name": "mine", **kind})
    found = {"mine": {Cell("A", "warm"): {0: leave("A", .6, routing=ROUTING)}, Cell("B", "warm"): {0: leave("B", .5)}}}
    write_suite(make_report([suite], found, Reader([suite])), tmp_path / "out", md=tmp_path / "alone.md")
    shown = re.findall(r"!\[.*\]\((.*)\)", (tmp_path / "out" / "README.md").read_text())
    kinds = [name.rpartition("-")[2] for name in shown if "routers" in name]
    assert kinds == ["load.svg", "together.svg", "groups.svg"]
    assert {path.name for path in (tmp_path / "out").glob("*.svg")} == set(shown)
    assert (tmp_path / "out" / "page.html").read_text().count("Routers of A") == 1
    alone = (tmp_path / "alone.md").read_text()
    assert "svg" not in alone and "| A | 0.700 | 0.300 |" in alone


def test_markdown_beside_the_figures_shows_and_draws_them(leave: Callable[..., Any], tmp_path: Path) -> None:
    suite = Suite.model_validate({"title": "t", "question": "q?", "dataset": "food", "seeds": [0], "splits": ["warm"],
                                  "metrics": ["map@5"], "rows": {"A": {}, "B": {}}, "name": "mine", "reference": "B",
                                  "figure": "tables"})
    found = {"mine": {Cell("A", "warm"): {0: leave("A", .6, routing=ROUTING)}, Cell("B", "warm"): {0: leave("B", .5)}}}
    report = make_report([suite], found, Reader([suite]))
    write_suite(report, tmp_path)
    left = {path.name: path.read_bytes() for path in tmp_path.glob("*.[ms][dv]*")}
    for name in left:
        (tmp_path / name).write_text("old")
    write_suite(report, md=tmp_path / "README.md")
    assert len(left) == 4 and {name: (tmp_path / name).read_bytes() for name in left} == left


def test_routers_under_several_conditions_are_named_by_them(leave: Callable[..., Any]) -> None:
    suite = Suite.model_validate({
        "title": "t", "question": "q?", "dataset": "food", "seeds": [0], "splits": ["warm", "cold"], "name": "mine",
        "metrics": ["map@5"], "rows": {"A": {}, "B": {}}, "figure": "differences",
        "comparisons": [{"row": "A", "against": ["B"], "called": "b"}]})
    found = {"mine": {Cell(row, split): {0: leave(row, .6, split=split, routing=ROUTING if row == "A" else None)}
                      for row in "AB" for split in suite.splits}}
    told = make_report([suite], found, Reader([suite])).routers["mine"]
    assert [inside.name for inside in told] == ["A, warm", "A, cold"]
