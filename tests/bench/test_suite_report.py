"""Reports of suites that stand together on one page."""
from __future__ import annotations

import re
from typing import Any, Callable

import pytest

from recbole_medmoe.bench.evidence import Reader
from recbole_medmoe.bench.findings import find
from recbole_medmoe.bench.jobs import Cell
from recbole_medmoe.bench.results import Results
from recbole_medmoe.bench.suite import Compared, Suite
from recbole_medmoe.bench.suite_report import make_report, render_page, render_readme
from recbole_medmoe.quick_start.stored import StoredRun


def _tables(name: str, title: str) -> Suite:
    return Suite.model_validate({"title": title, "question": "q?", "dataset": "food", "seeds": [0], "splits": ["warm"],
                                 "metrics": ["map@5"], "rows": {"A": {}, "B": {}}, "name": name, "reference": "B",
                                 "figure": "tables"})


def _report(leave: Callable[..., Any], *suites: Suite) -> Any:
    found = {suite.name: {Cell(row, "warm"): {0: leave(row, .5, seed=number)} for row in "AB"}
             for number, suite in enumerate(suites)}
    return make_report(suites, found, Reader(suites))


def test_tables_of_several_suites_are_named_by_their_suite_and_linked_apart(leave: Callable[..., Any],
                                                                            tmp_path: Any) -> None:
    report = _report(leave, _tables("one", "The first"), _tables("two", "The second"))
    assert re.findall("^## (.*)$", render_readme(report, False), re.M)[:2] == ["The first · warm", "The second · warm"]
    page = render_page(report, tmp_path)
    anchors = re.findall('<section id="([^"]*)"', page)
    assert len(anchors) == len(set(anchors)) == 2
    assert all(f'href="#{anchor}"' in page for anchor in anchors)


def test_tables_of_one_suite_are_named_by_data_set_and_split(leave: Callable[..., Any]) -> None:
    assert "\n## food · warm\n" in render_readme(_report(leave, _tables("one", "The first")), False)


def test_a_suite_with_a_figure_may_have_tables_of_its_rows_below_it(leave: Callable[..., Any]) -> None:
    suite = _tables("one", "The first").model_copy(update={
        "figure": "differences", "tables": True, "comparisons": [Compared(row="A", against=["B"], called="b")]})
    lines = render_readme(_report(leave, suite), False)
    assert re.findall("^## (.*)$", lines, re.M)[:2] == ["The first", "food · warm"] and "| Group |" in lines


@pytest.mark.parametrize(("task", "subjects"), [("choice", "questions"), ("food", "patients")])
def test_intervals_are_over_what_is_drawn(leave: Callable[..., Any], task: str, subjects: str) -> None:
    suite = Suite.model_validate({"title": "t", "question": "q?", "dataset": "food", "seeds": [0], "splits": ["warm"],
                                  "metrics": ["map@5"], "rows": {"A": {}, "B": {}}, "name": "mine", "comparisons": [
                                      {"row": "A", "against": ["B"], "called": "b"}], "figure": "differences"})
    runs = {row: StoredRun.read(leave(row, .5)) for row in "AB"}
    for run in runs.values():
        run.record["model"]["config"]["task"] = task
    found = {Cell(row, "warm"): {0: runs[row].folder} for row in "AB"}
    by_folder = {run.folder: run for run in runs.values()}
    assert f"95% intervals over {subjects};" in find(Results(suite, found, by_folder.__getitem__)).answer.caption
