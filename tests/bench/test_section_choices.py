"""Tables of task choice."""
from __future__ import annotations

from pathlib import Path

from recbole_medmoe.bench.reading import section_of
from recbole_medmoe.bench.report import render_markdown
from recbole_medmoe.quick_start import run
from recbole_medmoe.quick_start.stored import StoredRun


def test_a_page_says_what_is_ranked_and_shows_accuracy_by_task(tiny_choice: Path, tmp_path: Path) -> None:
    keys = {"bootstrap_draws": 50, "min_group": 1, "device": "cpu", "data_path": str(tiny_choice.parent)}
    folder = run("LongestOption", "tinychoice", overrides=keys, runs_dir=tmp_path).folder
    page = render_markdown([section_of([StoredRun.read(folder)], ["LongestOption"], "LongestOption")])
    assert "Every question ranks its own options" in page and "30 questions, 12 items" in page
    assert "task: exam.food" in page and "Macro accuracy" in page and "ranked for every user" not in page
