from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from safetensors import SafetensorError

from recbole_medmoe.bench import pool as pools
from recbole_medmoe.bench.jobs import Cell, Job
from recbole_medmoe.bench.pool import run_jobs
from recbole_medmoe.errors import RecordError, TrainingError
from recbole_medmoe.quick_start.finished import Key, Pool

Leave = Callable[..., Path]


def _job(seed: int, model: str = "A", **key: Any) -> Job:
    return Job(Key("0" * 64, seed, "a" * 64, "0.1.0", **key), Cell(model, "warm"), model, "food", {})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, leave: Leave) -> list[int]:
    """Seeds that were run: a run leaves a folder, seed 7 fails as a user's fault, 8 as ours, 6 as a library's."""
    seeds: list[int] = []

    def run(config: Any, runs_dir: Path) -> SimpleNamespace:
        seeds.append(config.seed)
        if config.seed == 7:
            raise TrainingError("loss is not finite;\n  lower learning_rate")
        if config.seed == 8:
            raise KeyError("gone")
        if config.seed == 6:
            raise SafetensorError("torn")
        return SimpleNamespace(folder=leave("A", .5, seed=config.seed, sha="b" if config.seed == 9 else "a"))

    monkeypatch.setattr(Job, "config", lambda job: SimpleNamespace(seed=job.key.seed))
    monkeypatch.setattr(pools, "run_config", run)
    return seeds


def test_only_what_is_missing_runs(made: list[int], leave: Leave, tmp_path: Path) -> None:
    leave("A", .5, seed=1)
    assert run_jobs([_job(seed) for seed in (0, 1, 2)], Pool(tmp_path / "runs")) == []
    assert made == [0, 2]


@pytest.mark.parametrize(("left", "asked"), [
    ({"prompts": ("b" * 64,)}, {"prompts": ("c" * 64,)}), ({"backbones": ("b" * 64,)}, {"backbones": ("c" * 64,)}),
    ({}, {"interactions": "c" * 64})])
def test_a_run_with_other_prompts_backbones_or_interactions_is_not_there(
        leave: Leave, tmp_path: Path, left: dict[str, Any], asked: dict[str, Any]) -> None:
    pool = Pool(tmp_path / "runs")
    pool.add(leave("A", .5, **left))
    assert pool.get(_job(0, **left).key) is not None and pool.get(_job(0, **asked).key) is None


def test_force_runs_all_and_the_newest_counts(made: list[int], leave: Leave, tmp_path: Path) -> None:
    pool = Pool(tmp_path / "runs")
    old = leave("A", .5, seed=1)
    old = old.rename(old.with_name("old"))
    run_jobs([_job(1)], pool, force=True)
    assert made == [1] and pool.get(_job(1).key) in (old, old.with_name("warm-catalogue-1"))


def test_a_failing_job_does_not_stop_the_others(made: list[int], tmp_path: Path) -> None:
    failures = run_jobs([_job(seed) for seed in (7, 8, 6, 2)], Pool(tmp_path / "runs"))
    assert made == [7, 8, 6, 2]
    assert [failure.message for failure in failures] == ["loss is not finite; lower learning_rate", "KeyError: 'gone'",
                                                         "SafetensorError: torn"]
    assert failures[0].log is None and failures[1].log is not None
    assert "Traceback" in failures[1].log.read_text() and str(failures[1].log) in str(failures[1])


def test_a_run_that_is_not_what_was_asked_for_is_a_failure(made: list[int], tmp_path: Path) -> None:
    failure, = run_jobs([_job(9)], Pool(tmp_path / "runs"))
    assert "not of the configuration and data that were asked for" in failure.message


def test_an_interrupt_stops_at_once(made: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(config: Any, runs_dir: Path) -> SimpleNamespace:
        raise KeyboardInterrupt

    monkeypatch.setattr(pools, "run_config", stop)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([_job(0), _job(1)], Pool(tmp_path / "runs"))


def test_what_another_process_made_meanwhile_is_not_run(
        made: list[int], leave: Leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    once = pools.run_config

    def run(config: Any, runs_dir: Path) -> Any:
        leave("A", .5, seed=1)   # the other process
        return once(config, runs_dir)

    monkeypatch.setattr(pools, "run_config", run)
    run_jobs([_job(0), _job(1)], Pool(tmp_path / "runs"))
    assert made == [0] and "made by another process" in capsys.readouterr().err


def test_progress_says_what_is_left(made: list[int], leave: Leave, tmp_path: Path,
                                    capsys: pytest.CaptureFixture[str]) -> None:
    leave("A", .5, seed=1)
    run_jobs([_job(seed) for seed in (0, 1, 2)], Pool(tmp_path / "runs"))
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "3 jobs: 1 finished before, 2 to run"
    assert told[1].startswith("[1/2] A, warm, seed 0 (2 left") and told[2].startswith("[2/2] A, warm, seed 2 (1 left")


def test_a_damaged_record_is_told(leave: Leave, tmp_path: Path) -> None:
    (leave("A", .5) / "record.json").write_text("{")
    with pytest.raises(RecordError, match="not JSON"):
        Pool(tmp_path / "runs").refresh("food")
