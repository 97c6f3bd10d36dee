from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbole_medmoe.bench.reading import read_sections
from recbole_medmoe.errors import RecordError
from recbole_medmoe.evaluation import bootstrap_interval
from recbole_medmoe.store import read_record, read_rows, write_record, write_rows

CONFIG = {"valid_metric": "MAP@5", "bootstrap_draws": 200, "learning_rate": .1, "eval_args": {"mode": "full"}}


def _record(model: str, seed: int, started: str, **changes: Any) -> dict[str, Any]:
    config = {**CONFIG, **changes}
    digest = f"{sorted(changes.items())}".encode().hex().ljust(64, "0")[:64]
    return {
        "schema": 1,
        "run": {"id": f"{model}-{seed}-{started[-2:]}", "started": started, "status": "finished",
                "command": f"recbole-medmoe --model {model}", "seconds": 3.0},
        "code": {"version": "0.1.0", "commit": None, "dirty": None},
        "environment": {"python": "3.11", "platform": "x", "packages": {"torch": "2"}, "device": "cpu", "gpu": None,
                        "cpu_count": 2, "memory_gib": 8.0},
        "data": {"name": "food", "sha256": "a" * 64, "split": "warm", "users": 40, "items": 9,
                 "rows": {"train": 90, "valid": 30, "test": 40}, "derived_from_credentialed": False, "statistics": {}},
        "model": {"name": model, "task": "food", "paper": None, "parameters": 10, "trainable": 10, "backbone": None,
                  "config": config, "config_sha256": digest},
        "training": {"seed": seed, "epochs": 1, "best_epoch": 0, "seconds": 2.0, "rows_per_second": 45.0,
                     "peak_memory_mib": 100.0, "valid": {}, "search": None},
        "evaluation": {"metrics": {}, "groups": {}, "threshold": None, "seconds": .1, "latency_ms": None,
                       "test_scored": 1},
        "routing": None}


def _leave(runs: Path, model: str, level: float, seed: int = 0, minute: int = 0, **changes: Any) -> Path:
    """A finished run whose 40 rows score about ``level``."""
    record = _record(model, seed, f"2026-01-01T10:00:{minute:02d}", **changes)
    values = np.clip(level + np.random.default_rng(seed).normal(scale=.05, size=40), 0, 1)
    gout = np.arange(40) < 25
    record["evaluation"]["metrics"] = {"map@5": float(values.mean()), "itemcoverage@5": .5}
    record["evaluation"]["groups"] = {
        "condition:gout": {"n": 25, "metrics": {"map@5": float(values[gout].mean())}},
        "condition:low_calcium": {"n": 3, "metrics": None}}
    folder = runs / "food" / model / record["run"]["id"]
    folder.mkdir(parents=True)
    write_rows(folder, {"row": [f"u{row}" for row in range(40)], "group:condition:gout": gout, "map@5": values})
    write_record(folder, record)
    return folder


def test_models_keep_the_first_run_as_reference_and_the_rest_by_value(tmp_path: Path) -> None:
    for minute, (model, level) in enumerate((("B", .4), ("A", .2), ("C", .6))):
        _leave(tmp_path, model, level, minute=minute)
    section, = read_sections(tmp_path)
    assert [row.name for row in section.rows] == ["B", "C", "A"]
    assert section.rows[0].difference is None and section.rows[1].difference is not None
    assert section.rows[1].difference.value == pytest.approx(.2, abs=.01)


def test_seeds_of_a_model_become_one_row(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        _leave(tmp_path, "A", .4, seed=seed, minute=seed)
    row = read_sections(tmp_path)[0].rows[0]
    assert row.seeds == (0, 1, 2) and row.told() == "3 seeds" and row.spread is not None and row.spread > 0


def test_two_configurations_of_a_model_are_two_rows_named_by_what_differs(tmp_path: Path) -> None:
    _leave(tmp_path, "A", .4)
    _leave(tmp_path, "A", .5, minute=1, learning_rate=.01)
    assert {row.name for row in read_sections(tmp_path)[0].rows} == {"A (learning_rate=0.1)", "A (learning_rate=0.01)"}


def test_of_equal_runs_the_newest_counts_and_the_page_says_so(tmp_path: Path) -> None:
    _leave(tmp_path, "A", .4)
    newest = _leave(tmp_path, "A", .5, minute=1)
    section, = read_sections(tmp_path)
    assert section.rows[0].runs == (newest.name,)
    assert section.notes == ("1 older run of equal configuration and seed left out.",)


def test_other_content_is_another_section(tmp_path: Path) -> None:
    _leave(tmp_path, "A", .4)
    folder = _leave(tmp_path, "B", .5, minute=1)
    from recbole_medmoe.store import read_record

    record = copy.deepcopy(read_record(folder))
    record["data"]["sha256"] = "b" * 64
    write_record(folder, record)
    assert [[row.name for row in section.rows] for section in read_sections(tmp_path)] == [["A"], ["B"]]


def test_pooled_metrics_have_a_value_and_no_interval(tmp_path: Path) -> None:
    _leave(tmp_path, "A", .4)
    metrics = read_sections(tmp_path)[0].rows[0].metrics
    assert metrics["itemcoverage@5"].interval == "" and metrics["map@5"].interval != ""


def test_groups_come_from_the_records_and_small_ones_have_no_scores(tmp_path: Path) -> None:
    _leave(tmp_path, "A", .4)
    section, = read_sections(tmp_path)
    assert [(group.name, group.rows) for group in section.groups] == [
        ("condition: gout", 25), ("condition: low calcium", 3)]
    assert section.groups[1].scores == {} and section.small_groups == "condition: low calcium (3)"


def test_metrics_without_rows_are_shown_without_tests(tmp_path: Path) -> None:
    for minute, model in enumerate("AB"):
        (_leave(tmp_path, model, .4, minute=minute) / "rows.parquet").unlink()
    section, = read_sections(tmp_path)
    assert not section.is_tested and [row.name for row in section.rows] == ["A", "B"]


def test_the_protocol_says_what_the_record_says(tmp_path: Path) -> None:
    _leave(tmp_path, "A", .4)
    _leave(tmp_path, "B", .5, minute=1)
    told = " ".join(read_sections(tmp_path)[0].protocol)
    for part in ("40 users, 9 items; 90 training", "Split “warm”", "by MAP@5; each run was scored on test once",
                 "each of 40 test rows", "200 times", "Holm over 1 comparison on MAP@5"):
        assert part in told


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = _leave(tmp_path, "A", .4) / "record.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(RecordError, match="record.json: not JSON"):
        read_sections(tmp_path)


def test_beside_speeds_of_adapters_stands_what_is_in_them(tmp_path: Path) -> None:
    folder = _leave(tmp_path, "A", .2)
    record = read_record(folder)
    record["model"]["costs"] = {"trained_parameters": 4, "adapter_flops_per_token": 2e6, "active_flops_per_token": 1e6,
                                "training_tokens_per_second": None, "inference_tokens_per_second": 637.4}
    write_record(folder, record)
    notes = [note for note in read_sections(tmp_path)[0].notes if "tokens per second" in note.lower()]
    assert "2.00 MFLOP" in notes[0] and "637 in inference" in notes[0]
    assert "no earlier run had left" in notes[1] and len(notes) == 2


def test_scores_of_a_group_have_intervals_from_its_own_rows(tmp_path: Path) -> None:
    folders = [_leave(tmp_path, "A", .4, seed=seed, minute=seed) for seed in (0, 1)]
    section, = read_sections(tmp_path)
    order = sorted(range(25), key=lambda row: f"u{row}")   # the draws go by the order of the row ids
    values = np.mean([read_rows(folder)["map@5"] for folder in folders], axis=0)[order]
    wanted = tuple(bootstrap_interval(values, draws=200))
    score = section.groups[0].scores["A"]
    assert (score.value, score.low, score.high) == pytest.approx(wanted)


def test_groups_without_rows_have_scores_without_intervals(tmp_path: Path) -> None:
    (_leave(tmp_path, "A", .4) / "rows.parquet").unlink()
    _leave(tmp_path, "B", .4, minute=1)
    score = read_sections(tmp_path)[0].groups[0].scores
    assert score["A"].interval == "" and score["B"].interval != ""


def test_a_group_of_every_row_has_an_interval_beside_smaller_ones(tmp_path: Path) -> None:
    folder = _leave(tmp_path, "A", .4)
    record = read_record(folder)
    record["evaluation"]["groups"]["cold_patient"] = {"n": 40, "metrics": record["evaluation"]["metrics"]}
    write_record(folder, record)
    section, = read_sections(tmp_path)
    whole = section.rows[0].metrics["map@5"]
    score = section.groups[2].scores["A"]
    assert (score.value, score.low, score.high) == pytest.approx((whole.value, whole.low, whole.high))


def test_a_group_with_rows_of_every_patient_is_not_taken_for_every_row(tmp_path: Path) -> None:
    folder = _leave(tmp_path, "A", .4)
    rows, record = read_rows(folder), read_record(folder)
    patients = np.array([f"p{row % 20}" for row in range(40)])   # the group's 25 rows are of all 20 patients
    write_rows(folder, {"patient": patients, **rows})
    record["evaluation"]["groups"]["condition:gout"]["n"] = 20
    write_record(folder, record)
    wanted = bootstrap_interval(rows["map@5"][:25], patients[:25], draws=200)
    score = read_sections(tmp_path)[0].groups[0].scores["A"]
    assert (score.low, score.high) == pytest.approx((wanted.low, wanted.high))


def test_a_joint_run_says_what_its_best_epoch_was_chosen_by(tmp_path: Path) -> None:
    folder = _leave(tmp_path, "A", .4)
    record = read_record(folder)
    record["run"]["joint"] = [{"dataset": name, "run": "x"} for name in ("food", "visits")]
    write_record(folder, record)
    told = " ".join(read_sections(tmp_path)[0].protocol)
    assert "by the mean over data sets (MAP@5 here; trained together with visits)" in told
