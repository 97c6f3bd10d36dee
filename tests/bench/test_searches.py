from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from recbole_medmoe.bench.engine import LocalEngine
from recbole_medmoe.bench.jobs import make_plan
from recbole_medmoe.bench.search import TrialStore
from recbole_medmoe.bench import searches
from recbole_medmoe.bench.searches import needed_searches, run_searches
from recbole_medmoe.bench.suite import Suite, parse_suite
from recbole_medmoe.cli import main
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.store import read_record

pytestmark = pytest.mark.usefixtures("in_process")


def _suite(tiny_food: Path, **changes: Any) -> Suite:
    values: dict[str, Any] = {
        "name": "mine", "title": "t", "question": "q?", "dataset": "tinyfood", "seeds": [0, 1], "splits": ["warm"],
        "settings": {"data_path": str(tiny_food.parent), "bootstrap_draws": 50}, "metrics": ["map@5"],
        "search": {"trials": 3}, "rows": {"Look-up": {"model": "ConditionLookup"}, "Pop": {}}, "reference": "Pop",
        "figure": "tables"}
    return Suite.model_validate({**values, **changes})


def test_every_row_runs_with_what_its_search_found_and_says_so(
        tiny_food: Path, tmp_path: Path) -> None:
    suite, runs = _suite(tiny_food), tmp_path / "runs"
    wanted = needed_searches([suite], runs)
    tuned, failures = run_searches(wanted, LocalEngine(runs), lambda line: None)
    assert failures == [] and not list(runs.rglob("record.json"))
    plan = make_plan([suite], tuned=tuned)
    by_row = {job.cell.row: job for job in plan.jobs.values()}
    found = tuned["mine", "Look-up", "warm"]
    assert found is not None and found["search"]["trials"] == 3 and found["search"]["seed"] == 100
    assert by_row["Look-up"].overrides["smoothing"] == found["smoothing"]
    assert by_row["Pop"].overrides["search"]["trials"] == 0   # it has nothing to set
    assert set(plan.jobs).isdisjoint(make_plan([suite]).jobs)


def test_the_record_of_a_tuned_row_has_its_budget_and_a_second_call_searches_nothing(
        tiny_food: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = _suite(tiny_food, seeds=[0], search=None).model_dump(exclude={"name", "claim", "margin", "search"})
    suite["rows"] = {"Look-up": {"model": "ConditionLookup"}, "Pop": {}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(suite))
    command = ["bench", str(path), "--runs-dir", str(tmp_path / "runs"), "--tune", "2"]
    assert main(command) == 0
    records = [read_record(place.parent) for place in (tmp_path / "runs").rglob("record.json")]
    assert {record["model"]["name"]: record["training"]["search"]["trials"] for record in records} == {
        "ConditionLookup": 2, "Pop": 0}
    capsys.readouterr()
    assert main(command) == 0
    told = capsys.readouterr().err
    assert "2 trials were done before" in told and "trial 1/2" not in told and "2 finished before, 0 to run" in told


def test_rows_that_ask_for_the_same_search_share_it_and_each_split_has_its_own_unless_one_is_named(
        tiny_food: Path, tmp_path: Path) -> None:
    rows = {"A": {"model": "ConditionLookup"}, "B": {"model": "ConditionLookup"},
            "C": {"model": "ConditionLookup", "least_patients": 3}}
    changes: dict[str, Any] = {"rows": rows, "reference": "A", "splits": ["warm", "cold_patient"]}
    each = needed_searches([_suite(tiny_food, **changes)], tmp_path)
    assert [[place[1:] for place in one.places] for one in each] == [
        [("A", "warm"), ("B", "warm")], [("C", "warm")],
        [("A", "cold_patient"), ("B", "cold_patient")], [("C", "cold_patient")]]
    assert [list(one.search.space.keys) for one in each[:2]] == [["least_patients", "smoothing"], ["smoothing"]]
    one = needed_searches([_suite(tiny_food, search={"trials": 1, "split": "warm"}, **changes)], tmp_path)
    assert len(one) == 2 and len(one[0].places) == 4


def test_conditions_of_the_runs_are_none_of_the_search(tiny_food: Path, tmp_path: Path) -> None:
    wanted, = needed_searches([_suite(tiny_food, train_share=[0.5, 1.0], images=["catalogue", "photo"],
                                      rows={"MoEOnly": {}}, reference="MoEOnly")], tmp_path)
    assert wanted.search.base["train_share"] == 1 and wanted.search.base["images"] == "catalogue"


def test_a_search_that_finds_nothing_is_a_failure_and_its_row_is_left_out(tiny_food: Path, tmp_path: Path) -> None:
    suite = _suite(tiny_food, rows={"MoEOnly": {"learning_rate": 1.0e30, "device": "cpu"}, "Pop": {}})
    tuned, failures = run_searches(needed_searches([suite], tmp_path), LocalEngine(tmp_path), lambda line: None)
    failure, = failures
    assert failure.name == "search of MoEOnly" and "no trial finished" in failure.message
    assert {job.cell.row for job in make_plan([suite], tuned=tuned).jobs.values()} == {"Pop"}


def test_it_waits_for_a_search_that_another_process_does(
        tiny_food: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = needed_searches([_suite(tiny_food, rows={"ConditionLookup": {}}, reference="ConditionLookup")], tmp_path)
    store = TrialStore(wanted[0].search.folder)
    store.begin(wanted[0].search.what(1))
    lock, told = store.locked(), []
    lock.__enter__()
    monkeypatch.setattr(searches.time, "sleep", lambda seconds: lock.__exit__(None, None, None))
    tuned, failures = run_searches(wanted, LocalEngine(tmp_path), told.append)
    assert failures == [] and "waiting for 1 searches" in told[0] and len(store.read()) == 3


@pytest.mark.parametrize(("search", "words"), [
    ("{}", "search: value error, neither trials nor minutes"), ("{trails: 3}", "search, trails 3"),
    ("{trials: 0}", "search, trials 0"), ("{trials: 3, algorithm: tqe}", "search, algorithm 'tqe'")])
def test_a_wrong_budget_is_told_with_the_suite(tmp_path: Path, search: str, words: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"title: t\nquestion: q\ndataset: d\nseeds: [0]\nsplits: [a]\nmetrics: [map@5]\nrows: {{A: {{}}}}\n"
                    f"reference: A\nfigure: tables\nsearch: {search}\n")
    _, faults = parse_suite(path)
    assert any(words in fault for fault in faults), faults


def test_a_row_whose_model_has_no_space_is_told_before_anything_runs(tiny_food: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mine, search: rows, NGCF: model 'NGCF' has no search space"):
        needed_searches([_suite(tiny_food, rows={"NGCF": {}, "Pop": {}})], tmp_path)


def test_a_row_is_searched_with_the_files_of_keys_that_it_names(tiny_food: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("epochs: 7\nhidden: 24\n")
    rows = {"A": {"model": "MoEOnly"}, "B": {"model": "MoEOnly", "config": str(tmp_path / "mine.yaml"), "hidden": 32}}
    plain, own = needed_searches([_suite(tiny_food, rows=rows, reference="A")], tmp_path / "runs")
    assert [place[1] for place in own.places] == ["B"] and plain.search.folder != own.search.folder
    assert (own.search.base["epochs"], own.search.base["hidden"]) == (7, 32)


def test_a_file_of_keys_that_is_not_there_is_told_with_the_searched_row(tiny_food: Path, tmp_path: Path) -> None:
    rows = {"A": {"model": "MoEOnly", "config": "nowhere"}}
    with pytest.raises(ConfigError, match="mine, search: rows, A: .*nowhere"):
        needed_searches([_suite(tiny_food, rows=rows, reference="A")], tmp_path)


def test_a_suite_gets_its_own_number_of_trials_also_where_another_asked_for_more(
        tiny_food: Path, tmp_path: Path) -> None:
    rows: dict[str, Any] = {"rows": {"ConditionLookup": {}}, "reference": "ConditionLookup"}
    found = {}
    for trials in (2, 4, 2):
        wanted = needed_searches([_suite(tiny_food, search={"trials": trials}, **rows)], tmp_path)
        tuned, _ = run_searches(wanted, LocalEngine(tmp_path), lambda line: None)
        values = tuned["mine", "ConditionLookup", "warm"]
        assert values is not None and values["search"]["trials"] == trials
        assert found.setdefault(trials, values) == values   # equal values, and so the runs of before
