from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from recbole_medmoe.bench.engine import Failure, Order, Outcome
from recbole_medmoe.bench.jobs import Cell, Job
from recbole_medmoe.bench.pool import run_jobs, shard_of
from recbole_medmoe.errors import RecordError
from recbole_medmoe.quick_start.finished import Key, Pool

Leave = Callable[..., Path]


def _job(seed: int, model: str = "A", **key: Any) -> Job:
    return Job(Key("0" * 64, seed, "a" * 64, "0.1.0", **key), Cell(model, "warm"), model, "food", {})


class _Engine:
    """Leaves a folder per order; seed 7 fails, seed 9 is made on other data."""

    slots = 1

    def __init__(self, leave: Leave, before: Callable[[int], None] = lambda seed: None) -> None:
        self.leave, self.before, self.made = leave, before, []

    def __enter__(self) -> _Engine:
        return self

    def __exit__(self, *error: object) -> None:
        """Holds nothing."""

    def run(self, orders: Iterator[Order]) -> Iterator[Outcome]:
        for order in orders:
            seed = order.values["overrides"]["seed"]
            self.made.append(seed)
            self.before(seed)
            if seed == 7:
                yield Outcome(order, None, Failure(order.name, "on purpose", Path("log.txt")), 0.)
            else:
                folder = self.leave("A", .5, seed=seed, sha="b" if seed == 9 else "a")
                yield Outcome(order, {"folder": "/".join(folder.parts[-3:])}, None, 0.)


@pytest.fixture
def engine(leave: Leave) -> _Engine:
    return _Engine(leave)


def test_only_what_is_missing_runs(engine: _Engine, leave: Leave, tmp_path: Path) -> None:
    leave("A", .5, seed=1)
    assert run_jobs([_job(seed) for seed in (0, 1, 2)], Pool(tmp_path / "runs"), engine) == []
    assert engine.made == [0, 2]


@pytest.mark.parametrize(("left", "asked"), [
    ({"prompts": ("b" * 64,)}, {"prompts": ("c" * 64,)}), ({"backbones": ("b" * 64,)}, {"backbones": ("c" * 64,)}),
    ({}, {"interactions": "c" * 64})])
def test_a_run_with_other_prompts_backbones_or_interactions_is_not_there(
        leave: Leave, tmp_path: Path, left: dict[str, Any], asked: dict[str, Any]) -> None:
    pool = Pool(tmp_path / "runs")
    pool.add(leave("A", .5, **left))
    assert pool.get(_job(0, **left).key) is not None and pool.get(_job(0, **asked).key) is None


def test_force_runs_all_and_the_newest_counts(engine: _Engine, leave: Leave, tmp_path: Path) -> None:
    pool = Pool(tmp_path / "runs")
    old = leave("A", .5, seed=1)
    old = old.rename(old.with_name("old"))
    run_jobs([_job(1)], pool, engine, force=True)
    assert engine.made == [1] and pool.get(_job(1).key) in (old, old.with_name("warm-catalogue-1"))


def test_a_failing_job_does_not_stop_the_others(engine: _Engine, tmp_path: Path) -> None:
    failure, = run_jobs([_job(seed) for seed in (7, 8, 2)], Pool(tmp_path / "runs"), engine)
    assert engine.made == [7, 8, 2] and str(failure) == "A, warm, seed 7: on purpose (log: log.txt)"


def test_a_run_that_is_not_what_was_asked_for_is_a_failure(engine: _Engine, tmp_path: Path) -> None:
    failure, = run_jobs([_job(9)], Pool(tmp_path / "runs"), engine)
    assert "its record is not of what was asked for (data_sha256)" in failure.message


def test_an_interrupt_stops_at_once(leave: Leave, tmp_path: Path) -> None:
    def stop(seed: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs([_job(0), _job(1)], Pool(tmp_path / "runs"), _Engine(leave, before=stop))


def test_what_another_process_made_meanwhile_is_not_run(
        leave: Leave, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = _Engine(leave, before=lambda seed: leave("A", .5, seed=1) and None)
    run_jobs([_job(0), _job(1)], Pool(tmp_path / "runs"), engine)
    assert engine.made == [0] and "made by another process" in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 3, 5])
def test_shards_share_no_job_and_lack_none(count: int) -> None:
    jobs = [_job(seed) for seed in range(4)]
    parts = [shard_of(jobs, number, count) for number in range(1, count + 1)]
    assert sorted(job.key.seed for part in parts for job in part) == [0, 1, 2, 3]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_progress_says_what_is_left(engine: _Engine, leave: Leave, tmp_path: Path,
                                    capsys: pytest.CaptureFixture[str]) -> None:
    leave("A", .5, seed=1)
    run_jobs([_job(seed) for seed in (0, 1, 2)], Pool(tmp_path / "runs"), engine)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "3 jobs: 1 finished before, 2 to run"
    assert told[1].startswith("[1/2] A, warm, seed 0 (2 left") and told[2].startswith("[2/2] A, warm, seed 2 (1 left")


def test_a_damaged_record_is_told(leave: Leave, tmp_path: Path) -> None:
    (leave("A", .5) / "record.json").write_text("{")
    with pytest.raises(RecordError, match="not JSON"):
        Pool(tmp_path / "runs").refresh("food")
