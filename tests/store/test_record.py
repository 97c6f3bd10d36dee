"""A record fits schema 1 or is refused with the path of each fault."""
from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.errors import RecordError
from recbole_medmoe.store import code_version, environment, read_record, write_record

SHA = "0" * 64
RECORD: dict[str, Any] = {
    "schema": 1,
    "run": {"id": "r1", "started": "2026-01-01T00:00:00", "status": "finished", "command": "run", "seconds": 1.5},
    "code": {"version": "0.1.0", "commit": None, "dirty": None},
    "environment": {"python": "3.11", "platform": "Linux", "packages": {"torch": "2.13"}, "device": "cpu", "gpu": None,
                    "cpu_count": 2, "memory_gib": 8.0},
    "data": {"name": "food", "sha256": SHA, "split": "warm", "users": 2, "items": 3,
             "rows": {"train": 1, "valid": 1, "test": 2}, "derived_from_credentialed": False,
             "statistics": {"groups": {"a": 1}}},
    "model": {"name": "Pop", "task": "any", "paper": None, "parameters": 0, "trainable": 0,
              "backbone": {"name": "smollm2-135m", "sha256": SHA}, "config": {"epochs": 1}, "config_sha256": SHA},
    "training": {"seed": 0, "epochs": 1, "best_epoch": 0, "seconds": 1, "rows_per_second": 10.0,
                 "peak_memory_mib": 100.0, "valid": {"map@5": 0.5}, "search": None},
    "evaluation": {"metrics": {"map@5": 0.5, "gini@5": None}, "groups": {"cold": {"n": 3, "metrics": None}},
                   "threshold": None, "seconds": 0.1, "latency_ms": {"batch": 1, "p50": 1.0, "p95": 2.0},
                   "test_scored": 1},
    "routing": {"load": [0.5, 0.5], "entropy": 0.69},
}


def _with(path: str, value: Any) -> dict[str, Any]:
    record = copy.deepcopy(RECORD)
    *parents, last = path.split("/")
    place = record
    for key in parents:
        place = place[key]
    place[last] = value
    return record


def test_round_trip(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD


def test_blocks_made_here_fit(tmp_path: Path) -> None:
    write_record(tmp_path, {**RECORD, "environment": environment(), "code": code_version()})


@pytest.mark.parametrize(("path", "value"), [
    ("model/backbone", None), ("model/backbone", [{"name": "a", "sha256": SHA}, {"name": "b", "sha256": SHA}]),
    ("routing", None), ("evaluation/latency_ms", None), ("data/split", None), ("data/labels", None),
    ("routing/groups", {"cold": {"n": 20, "experts": [0.5, 0.5], "branches": [1.0], "entropy": 0.6}}),
    ("routing", {"load": [0.6, 0.4], "entropy": 0.6, "used": 1.9, "tokens": 90, "layers": {"up_proj": {
        "load": [0.6, 0.4], "weight": [0.5, 0.5], "entropy": 0.6, "used": 1.9, "specialisation": 0.0,
        "together": [[1.0, 1.0], [1.0, 1.0]]}}}),
    ("routing/groups", {"task:a": {"n": 20, "layers": {"up_proj": [0.6, 0.4]}, "specialisation": 0.0}}),
    ("data/labels", "D01"), ("data/train_share", 0.05), ("evaluation/images", "blurred")])
def test_what_may_be_absent(tmp_path: Path, path: str, value: Any) -> None:
    write_record(tmp_path, _with(path, value))


@pytest.mark.parametrize(("path", "value", "told"), [
    ("schema", 2, r"\$\.schema: 1 was expected"),
    ("notes", "x", r"\$: Additional properties are not allowed \('notes' was unexpected\)"),
    ("run/status", "done", r"\$\.run\.status: 'done' is not one of"),
    ("data/sha256", "abc", r"\$\.data\.sha256: 'abc' does not match"),
    ("data/rows/train", -1, r"\$\.data\.rows\.train: -1 is less than the minimum of 0"),
    ("training/epochs", 1.5, r"\$\.training\.epochs: 1.5 is not of type 'integer'"),
    ("evaluation/metrics/map@5", "good", r"\$\.evaluation\.metrics\['map@5'\]: 'good' is not of type"),
    ("evaluation/metrics/map@5", float("nan"), r"\$\.evaluation\.metrics\.map@5: nan is not a finite number"),
    ("data/train_share", 0, r"\$\.data\.train_share: 0 is less than or equal to the minimum of 0"),
    ("evaluation/images", "photos", r"\$\.evaluation\.images: 'photos' is not one of"),
    ("environment/user", "me", r"\$\.environment: Additional properties"),
])
def test_record_that_does_not_fit_is_not_written(tmp_path: Path, path: str, value: Any, told: str) -> None:
    with pytest.raises(RecordError, match=told):
        write_record(tmp_path, _with(path, value))
    assert not list(tmp_path.iterdir())


def test_all_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError) as caught:
        write_record(tmp_path, {key: value for key, value in _with("data/users", -1).items() if key != "code"})
    assert "'code' is a required property" in str(caught.value) and "$.data.users" in str(caught.value)


def test_missing_record(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="record.json: no such file, so the run did not finish"):
        read_record(tmp_path)


def test_truncated_record(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD)
    path.write_text(path.read_text()[:200])
    with pytest.raises(RecordError, match="record.json: not JSON"):
        read_record(tmp_path)


def test_record_of_another_program(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"metrics": {}}')
    with pytest.raises(RecordError, match="record.json: does not fit record schema 1"):
        read_record(tmp_path)


@pytest.mark.parametrize("keep_hash", [True, False])
def test_a_record_changed_by_hand_is_refused_as_long_as_its_hash_is_there(tmp_path: Path, keep_hash: bool) -> None:
    path = write_record(tmp_path, RECORD)
    written = json.loads(path.read_text())
    written["evaluation"]["metrics"]["map@5"] = 0.6
    if keep_hash:
        path.write_text(json.dumps(written))
        with pytest.raises(RecordError, match=r"record.json: was changed after it was written"):
            read_record(tmp_path)
    else:   # as the first records were
        path.write_text(json.dumps({key: value for key, value in written.items() if key != "sha256"}))
        assert read_record(tmp_path)["evaluation"]["metrics"]["map@5"] == 0.6


def test_a_record_laid_out_otherwise_is_the_same(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD)
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert read_record(tmp_path) == RECORD


def test_what_a_run_costs_fits(tmp_path: Path) -> None:
    record = copy.deepcopy(RECORD)
    record["training"] |= {"processes": 2, "tokens_per_second": None, "gpu_busy": .9}
    record["environment"]["driver"] = "580.1"
    record["model"]["file_bytes"] = 12
    record["evaluation"]["rows_per_second"] = 3.5
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
