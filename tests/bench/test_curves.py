"""Figures of how rows were trained."""
from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from recbole_medmoe.bench.curves import cost_curve, learning_curve, threshold_curve
from recbole_medmoe.bench.figures import Spot, against_cost
from recbole_medmoe.bench.reading import read_sections
from recbole_medmoe.bench.report import render_html
from recbole_medmoe.errors import RecordError
from recbole_medmoe.quick_start.stored import StoredRun
from recbole_medmoe.store import read_record, write_record

Leave = Callable[..., Path]


def _log(folder: Path, *scores: float | None, **more: str) -> Path:
    lines = [{"epoch": epoch, "loss": 1.0, **({} if score is None else {"valid_score": score}), **more}
             for epoch, score in enumerate(scores)]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_learning_curve_has_the_epochs_that_were_validated_and_the_one_that_was_chosen(leave: Leave) -> None:
    folder = _log(leave("A", .4), .1, None, .3, .2)
    record = read_record(folder)
    record["training"].update(epochs=4, best_epoch=2)
    write_record(folder, record)
    curve, = learning_curve({"A": [StoredRun.read(folder)]})
    assert "A: 1 0.100, 3 0.300, 4 0.200" in curve.figure.label and "MAP@5, validation" in curve.figure.label
    assert curve.figure.body.count("<circle") == 2   # the chosen epoch, and the legend


def test_of_an_ensemble_the_first_member_is_shown(leave: Leave) -> None:
    folder = _log(leave("A", .4), .1, .2, member="experts")
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps({"epoch": 0, "valid_score": .9, "member": "llm"}) + "\n")
    curve, = learning_curve({"A": [StoredRun.read(folder)]})
    assert "0.900" not in curve.figure.label


def test_models_without_epochs_have_no_learning_curve(leave: Leave) -> None:
    runs = {"A": [StoredRun.read(leave("A", .4))], "B": [StoredRun.read(_log(leave("B", .4), .3))]}
    assert not list(learning_curve(runs))


def test_a_damaged_log_is_told_with_its_line(leave: Leave) -> None:
    folder = _log(leave("A", .4), .1, .2)
    (folder / "log.jsonl").write_text('{"epoch": 0, "valid_score": 0.1}\n{"epoch": 1, "va')
    with pytest.raises(RecordError, match=r"log\.jsonl, line 2: damaged"):
        list(learning_curve({"A": [StoredRun.read(folder)]}))


def test_a_threshold_curve_comes_from_the_record(leave: Leave) -> None:
    folder = leave("A", .4)
    record = read_record(folder)
    record["evaluation"]["threshold_curve"] = {"sizes": [1.0, 2.5, 4.0], "jaccard": [.2, .4, .3], "chosen": [2.2, .41]}
    write_record(folder, record)
    curve, = threshold_curve({"A": [StoredRun.read(folder)]})
    assert "A: 1 0.200, 2.5 0.400, 4 0.300" in curve.figure.label


def test_the_line_joins_what_none_beats_at_lower_cost() -> None:
    spots = [Spot("cheap", .1, .2), Spot("worse and dearer", 1.0, .15), Spot("better", 10.0, .4),
             Spot("as good, dearer", 50.0, .4)]
    joined = ET.fromstring(against_cost("MAP@5", spots, True).inline()).findall("line[@class='link s5']")
    dots = {round(float(dot.get("cx", 0)), 1) for dot in
            ET.fromstring(against_cost("MAP@5", spots, True).inline()).findall("circle")}
    assert len(joined) == 1 and {float(joined[0].get("x1", 0)), float(joined[0].get("x2", 0))} <= dots
    assert not ET.fromstring(against_cost("RMSE", spots, False).inline()).findall("line[@class='link s5']")


def test_one_row_alone_has_no_figure_of_cost() -> None:
    assert not list(cost_curve("MAP@5", [Spot("A", 1.0, .2)], True))


def test_the_page_shows_what_is_known(leave: Leave, tmp_path: Path) -> None:
    _log(leave("A", .4), .1, .2)
    leave("B", .5)
    page = render_html(read_sections(tmp_path / "runs"))
    assert "MAP@5 against cost." in page and "Learning curves." in page and "Threshold curves" not in page
