"""The figure of what is lost where items lack a modality."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbole_medmoe.bench.findings import find
from recbole_medmoe.bench.jobs import Cell
from recbole_medmoe.bench.results import Results
from recbole_medmoe.bench.suite import Suite, load_suites, parse_suite
from recbole_medmoe.quick_start.stored import StoredRun

SUITE: dict[str, Any] = {"title": "t", "question": "q?", "dataset": "d", "seeds": [0], "splits": ["a"],
                         "settings": {"missing": [0.5, 1.0]}, "metrics": ["map@5"], "rows": {"M": {}},
                         "figure": "missing"}


def _results(lost: float, seeds: tuple[int, ...] = (0,)) -> Results:
    """40 patients around .5; without pictures of all items they lose ``lost``, of half of them half of that."""
    noise = np.random.default_rng(0)
    whole = .5 + noise.normal(scale=.05, size=40)
    items = {f"missing: {modality} {share}/map@5": whole - part + noise.normal(scale=.005, size=40)
             for modality, share, part in (("image", "0.5", lost / 2), ("image", "1", lost), ("text", "0.5", 0),
                                           ("text", "1", 0))}
    record = {"data": {"sha256": "0" * 64}, "model": {"config": {"bootstrap_draws": 999}}}
    rows = np.array([f"u{row:02d}" for row in range(40)])
    run = StoredRun(Path("run"), record, rows, {"map@5": whole}, items=items)
    return Results(Suite.model_validate(SUITE), {Cell("M", "a"): {seed: Path("run") for seed in seeds}}, lambda _: run)


def test_each_modality_has_a_line_from_the_whole_to_nothing() -> None:
    answer = find(_results(.2)).answer
    assert answer.table is not None and [row[:2] for row in answer.table.rows] == [
        ("M, image", "50%"), ("M, image", "100%"), ("M, text", "50%"), ("M, text", "100%")]
    assert answer.figure is not None and "M, image: 0% 0.497" in answer.figure.label
    assert answer.figure.body.count("<circle") == 2 * 3 + 2   # points, and the names below


def test_only_what_is_shown_is_said() -> None:
    image, text = find(_results(.2)).answer.judged.sentences
    assert image.startswith("M, image taken from 100% of the items: −0.2") and image.endswith(", lower.")
    assert text.endswith("no difference shown.")


def test_without_finished_runs_nothing_is_drawn() -> None:
    found = find(_results(.2, seeds=()))
    assert found.answer.figure is None and found.notes


def test_the_suite_that_ships_is_whole_and_its_kind_asks_for_shares(tmp_path: Path) -> None:
    assert load_suites("missing")[1] == []
    path = tmp_path / "mine.yaml"
    path.write_text("title: t\nquestion: q\ndataset: d\nseeds: [0]\nsplits: [a]\nmetrics: [map@5]\nrows: {M: }\n"
                    "figure: missing\n", encoding="utf-8")
    assert parse_suite(path)[1] == [
        f"{path}: settings, missing: is missing; name shares of the items (figure: missing)"]


@pytest.mark.parametrize("from_zero, first", [(True, "0%"), (False, "10%")])
def test_a_curve_may_begin_at_nothing(from_zero: bool, first: str) -> None:
    from recbole_medmoe.bench.figures import curve

    shares = (0.0, 1.0) if from_zero else (0.1, 1.0)
    figure = curve("MAP", [("M", [(share, .5, .4, .6) for share in shares])], "items", from_zero)
    assert f">{first}<" in figure.body and ">100%<" in figure.body
