"""Whole runs of task choice."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recbole_medmoe.quick_start import load, run
from recbole_medmoe.quick_start.comparing import compare
from recbole_medmoe.store import read_rows

SMALL = {"progress": False, "device": "cpu", "bootstrap_draws": 50, "min_group": 2, "epochs": 2}


@pytest.mark.parametrize("model", ["OptionOverlap", "Pop", "DeepFM"])
def test_a_run_leaves_accuracy_per_question_and_task(model: str, tiny_choice: Path, tmp_path: Path) -> None:
    result = run(model, "tinychoice", overrides={**SMALL, "data_path": str(tiny_choice.parent)}, runs_dir=tmp_path)
    told, rows = result.record["evaluation"], read_rows(result.folder)
    assert list(told["metrics"]) == ["accuracy", "macroaccuracy", "blindaccuracy", "mrr@10"]
    assert told["metrics"]["accuracy"] == np.mean(rows["accuracy"]) and len(rows["row"]) == 7
    assert set(told["groups"]) == {"source:abstract", "source:exam", "task:abstract", "task:exam.food"}
    assert result.record["data"]["statistics"]["options"]["most"] == 4 and told["test_scored"] == 1


def test_a_trained_folder_answers_a_new_question_without_the_data(tiny_choice: Path, tmp_path: Path) -> None:
    result = run("OptionOverlap", "tinychoice", overrides={**SMALL, "data_path": str(tiny_choice.parent)},
                 runs_dir=tmp_path)
    trained = load(result.folder)
    assert trained.items == [] and trained.keys == ["options", "text"]
    scores = trained.score([{"text": "Which food is good against gout?",
                             "options": ["tea", "a pear, which is good against gout", "salt"]}])
    assert scores.shape == (1, 3) and scores.argmax() == 1


def test_models_are_compared_on_accuracy_with_intervals(tiny_choice: Path, tmp_path: Path) -> None:
    found = compare(["OptionOverlap", "LongestOption"], "tinychoice", runs_dir=tmp_path,
                    overrides={**SMALL, "data_path": str(tiny_choice.parent)}).comparison
    assert found is not None and found.primary == "accuracy" and found.rows == 7
