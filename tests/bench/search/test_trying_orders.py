"""Trials as engines carry them out: on this machine, and as a Dask worker does."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from recbole_medmoe.bench import cluster_worker
from recbole_medmoe.bench.engine import LocalEngine, Order, Outcome
from recbole_medmoe.bench.search import Budget, Search
from recbole_medmoe.bench.search import trying
from recbole_medmoe.errors import TrainingError

Make = Callable[..., Search]
SEARCHED: dict[str, Any] = {"model": "ConditionLookup",
                            "lines": ("least_patients: {int: [1, 9]}", "smoothing: {loguniform: [0.1, 30]}")}
pytestmark = pytest.mark.usefixtures("in_process")


class _Far(LocalEngine):
    """What a Dask worker does with an order, without the cluster."""

    def run(self, orders: Iterator[Order]) -> Iterator[Outcome]:
        for order in orders:
            told = cluster_worker.carry_out(order.text(Path(), None), {})
            yield Outcome(order, told["result"], None, 1.0)


def test_a_search_on_a_cluster_has_the_trials_of_one_here(
        make_search: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_worker, "_wait", lambda process: process.answer())   # no cluster that could give it up
    cluster_worker._devices.put(None)
    near, far = (make_search(name, **SEARCHED).run(engine, Budget(4)) for name, engine in (
        ("near", LocalEngine(tmp_path, jobs=2)), ("far", _Far(tmp_path, jobs=2))))
    assert [(trial.values, trial.score, trial.valid) for trial in near.trials] == [
        (trial.values, trial.score, trial.valid) for trial in far.trials]
    assert cluster_worker._devices.get_nowait() is None
    assert all(trial.status == "finished" for trial in far.trials) and not list(tmp_path.rglob("record.json"))


def test_the_median_rule_stops_a_real_training(make_search: Make, tmp_path: Path) -> None:
    search = make_search(lines=("experts: {int: [2, 4]}", "median_stopping: {warmup_epochs: 1, after_trials: 1}"),
                         overrides={"epochs": 4, "device": "cpu"})
    order = search._order(0, {"experts": 2}, [[(0, 1.0), (1, 1.0)]])
    given_up = trying.run_trial(order.values, tmp_path)
    assert (given_up["status"], given_up["epochs"]) == ("stopped", 2) and len(given_up["curve"]) == 2
    kept = trying.run_trial(search._order(0, {"experts": 2}, [[(0, 0.0)]]).values, tmp_path)
    assert (kept["status"], kept["epochs"]) == ("finished", 4)
    assert kept["curve"][:2] == given_up["curve"]


def test_a_trial_that_scores_test_rows_fails(
        make_search: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = trying.try_config

    def peeking(*words: Any, **named: Any) -> Any:
        found = tried(*words, **named)
        found.test_scored = 1
        return found

    monkeypatch.setattr(trying, "try_config", peeking)
    order = make_search(**SEARCHED)._order(0, {"least_patients": 2, "smoothing": 1.0}, [])
    with pytest.raises(TrainingError, match="scored test rows while it was trained"):
        trying.run_trial(order.values, tmp_path)
