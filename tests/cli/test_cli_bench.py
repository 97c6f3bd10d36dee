from __future__ import annotations

import errno
import gzip
import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from recbole_medmoe.cli import main
from recbole_medmoe.quick_start import running

Write = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def write(tiny_food: Path, tmp_path: Path) -> Write:
    """``write(seeds=[0])`` -> file of a suite over two tiny models, two seeds and one split."""

    def make(name: str = "mine", **changes: Any) -> Path:
        suite = {
            "title": "Tiny", "question": "Is the look-up better than popularity?",
            "claim": {"text": "the look-up beats popularity", "source": "nobody"}, "dataset": "tinyfood",
            "seeds": [0, 1], "splits": ["cold_patient"], "metrics": ["map@5", "ndcg@5"],
            "settings": {"data_path": str(tiny_food.parent), "bootstrap_draws": 100, "min_group": 2},
            "rows": {"ConditionLookup": {}, "Pop": {}}, "reference": "ConditionLookup",
            "comparisons": [{"row": "ConditionLookup", "against": ["Pop"], "called": "popularity"}],
            "figure": "differences"}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**suite, **changes}, sort_keys=False))
        return path

    return make


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models that ran, one entry per run."""
    done: list[str] = []
    run = running.run_config

    def counting(config: Any, runs_dir: Path) -> Any:
        result = run(config, runs_dir=runs_dir)
        done.append(f"{config.spec.name} {config['seed']}")
        return result

    monkeypatch.setattr(running, "run_config", counting)
    return done


def _bench(suite: Path, runs: Path, *words: str) -> int:
    return main(["bench", str(suite), "--runs-dir", str(runs), *words])


def test_a_suite_ends_in_verdict_page_and_evidence(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                   ) -> None:
    out = tmp_path / "out"
    assert _bench(write(), tmp_path / "runs", "--out", str(out)) == 0
    told = capsys.readouterr().out
    assert "Verdict: holds" in told and "ConditionLookup against Pop, MAP@5: Higher on cold_patient" in told
    names = ["README.md", "index.json", "mine.svg", "page.html", "records"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert "![" in (out / "README.md").read_text() and 'class="verdict">holds' in (out / "page.html").read_text()


def test_stopped_after_two_jobs_and_started_again_only_the_rest_runs_and_the_page_is_the_same(
        write: Write, counted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite, runs = write(), tmp_path / "runs"
    run = running.run_config

    def stopping(config: Any, runs_dir: Path) -> Any:
        if len(counted) == 2:
            raise KeyboardInterrupt
        return run(config, runs_dir=runs_dir)

    monkeypatch.setattr(running, "run_config", stopping)
    assert _bench(suite, runs, "--html", str(tmp_path / "a.html")) == 130
    assert counted == ["ConditionLookup 0", "ConditionLookup 1"] and not (tmp_path / "a.html").exists()
    monkeypatch.setattr(running, "run_config", run)
    assert _bench(suite, runs, "--html", str(tmp_path / "a.html")) == 0
    assert counted[2:] == ["Pop 0", "Pop 1"]
    assert _bench(suite, tmp_path / "others", "--html", str(tmp_path / "b.html")) == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_page_and_figures_come_from_the_evidence_alone_with_the_same_bytes(
        write: Write, counted: list[str], tmp_path: Path) -> None:
    suite, out = write(figure="tables", includes=["part.yaml"]), tmp_path / "out"
    write("part")
    assert _bench(suite, tmp_path / "runs", "--out", str(out), "--md", str(tmp_path / "a.md")) == 0
    assert len(counted) == 4   # the included suite asks for the same runs
    assert main(["bench", str(suite), "--from", str(out), "--html", str(out / "b.html"), "--md",
                 str(tmp_path / "b.md")]) == 0
    assert len(counted) == 4
    assert (out / "b.html").read_bytes() == (out / "page.html").read_bytes()
    assert (tmp_path / "b.md").read_bytes() == (tmp_path / "a.md").read_bytes()
    assert main(["report", str(out), "--html", str(tmp_path / "c.html")]) == 0


def test_the_tables_of_a_suite_are_written_for_a_paper(write: Write, tmp_path: Path) -> None:
    suite, tables, numbers = write(figure="tables"), tmp_path / "t.tex", tmp_path / "n.csv"
    assert _bench(suite, tmp_path / "runs", "--tex", str(tables), "--csv", str(numbers)) == 0
    assert r"\toprule" in tables.read_text() and "tinyfood,cold_patient," in numbers.read_text()


def test_a_suite_without_tables_of_models_says_so_before_it_runs(
        write: Write, counted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench(write(), tmp_path / "runs", "--csv", str(tmp_path / "n.csv")) == 2
    assert "--csv, --tex: suite 'mine' has no tables of models" in capsys.readouterr().err and not counted


def test_a_failing_job_is_listed_at_the_end_and_the_rest_is_shown(
        write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text(
        "from recbole_medmoe.model.baselines.pop import Pop\n\n\nclass Broken(Pop):\n"
        "    def __init__(self, config, dataset):\n        raise RuntimeError('on purpose')\n")
    monkeypatch.chdir(tmp_path)
    rows = {"ConditionLookup": {}, "Pop": {}, "Broken": {"model": "broken:Broken"}}
    assert _bench(write(rows=rows, seeds=[0]), tmp_path / "runs") == 1
    told = capsys.readouterr().out
    assert "1 of 3 runs are not finished (Broken 1)" in told and "Verdict: " in told
    assert "1 job failed:\n  Broken, cold_patient, seed 0: RuntimeError: on purpose (log: " in told


def test_a_disk_that_is_full_in_mid_record_is_a_failure_and_the_job_runs_again(
        write: Write, counted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    suite, runs, replace = write(seeds=[0]), tmp_path / "runs", os.replace

    def full(source: str, target: Any) -> None:
        if "Pop" in str(target) and str(target).endswith("record.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert _bench(suite, runs) == 1
    told = capsys.readouterr().out
    assert "Pop, cold_patient, seed 0: " in told and "No space left on device" in told and "free space" in told
    assert len(list(runs.rglob("record.json"))) == 1 and not list(runs.rglob(".record*"))
    monkeypatch.setattr(os, "replace", replace)
    assert _bench(suite, runs) == 0 and counted == ["ConditionLookup 0", "Pop 0"]


def test_a_record_that_was_edited_by_hand_is_refused_by_name(
        write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite, runs = write(seeds=[0]), tmp_path / "runs"
    assert _bench(suite, runs) == 0
    path = sorted(runs.rglob("record.json"))[0]
    record = json.loads(path.read_text())
    record["evaluation"]["metrics"]["map@5"] = .99
    path.write_text(json.dumps(record))
    capsys.readouterr()
    assert _bench(suite, runs) == 2
    told = capsys.readouterr().err
    assert f"{path}: was changed after it was written" in told.replace("\n", "")


def test_two_parts_fill_one_pool(write: Write, counted: list[str], tmp_path: Path) -> None:
    suite, runs = write(splits=["cold_patient", "warm"], seeds=[0]), tmp_path / "runs"
    for split in ("cold_patient", "warm"):
        assert _bench(suite, runs, "--splits", split) == 0
    assert _bench(suite, runs) == 0
    assert len(counted) == 4


def test_a_suite_without_splits_is_split_the_data_sets_own_way(
        write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(seeds=[0], figure="tables", comparisons=[], claim=None)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "cold_patient" not in line
                              and "splits" not in line))
    out = tmp_path / "out"
    assert _bench(path, tmp_path / "runs", "--out", str(out)) == 0
    assert "tinyfood · cold_patient" in capsys.readouterr().out and "| Pop |" in (out / "README.md").read_text()


def test_a_suite_of_others_shows_them_together(
        write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("part", seeds=[0])
    (tmp_path / "all.yaml").write_text("title: All of them\nquestion: q?\nincludes: [part.yaml]\n")
    assert _bench(tmp_path / "all.yaml", tmp_path / "runs", "--seeds", "0", "--out", str(tmp_path / "out")) == 0
    told = capsys.readouterr().out
    assert "All of them" in told and "Verdict: holds" in told
    assert main(["bench", str(tmp_path / "all.yaml"), "--from", str(tmp_path / "out")]) == 0


def test_shards_fill_one_pool_and_the_page_is_made_when_all_are_there(
        write: Write, counted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite, runs = write(), tmp_path / "runs"
    assert _bench(suite, runs, "--shard", "1/2") == 0
    assert "Shard 1/2: 2 of its 2 jobs are finished; of the whole suite 2 of 4 are missing" in capsys.readouterr().out
    assert _bench(suite, runs, "--shard", "2/2") == 0
    assert sorted(counted) == ["ConditionLookup 0", "ConditionLookup 1", "Pop 0", "Pop 1"]
    assert _bench(suite, runs) == 0 and len(counted) == 4


def test_a_search_that_finds_nothing_is_no_job_of_a_shard(
        write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = write(seeds=[0], rows={"MoEOnly": {"learning_rate": 1.0e30, "device": "cpu"}, "Pop": {}}, search={
        "trials": 1}, figure="tables", reference="Pop", comparisons=[], claim=None)
    assert _bench(suite, tmp_path / "runs", "--shard", "1/1") == 1
    told = capsys.readouterr().out
    assert "Shard 1/1: 1 of its 1 jobs are finished" in told and "search of MoEOnly" in told


def test_profile_leaves_a_trace_in_each_run_and_makes_no_other_run(
        write: Write, counted: list[str], tmp_path: Path) -> None:
    suite = write(seeds=[0], rows={"BPR": {"epochs": 1}}, splits=["warm"], comparisons=[], reference="BPR",
                  figure="tables", claim=None)
    assert _bench(suite, tmp_path / "runs", "--profile") == 0 == _bench(suite, tmp_path / "runs")
    trace, = (tmp_path / "runs").rglob("trace.json.gz")
    assert len(counted) == 1 and "traceEvents" in json.loads(gzip.decompress(trace.read_bytes()))


def test_force_runs_all_again(write: Write, counted: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        assert _bench(write(seeds=[0]), tmp_path / "runs", "--force") == 0
    assert len(counted) == 4


@pytest.mark.parametrize(("changes", "words", "messages"), [
    ({"rows": {"ConditionLookup": {}, "Pop": {}, "X": {"model": "Popp"}}, "margin": 2.0,
      "comparisons": [{"row": "Nobody", "against": ["Pop"], "called": "x"}]}, [],
     ["no model 'Popp'", "margin 2.0", "no row 'Nobody'"]),
    ({}, ["--splits", "wram"], ["no split 'wram' in suite 'mine'"]), ({}, ["--seeds", "7"], ["has the seeds 0, 1"]),
    ({}, ["--from", "nowhere"], ["nowhere/index.json: no such file"]),
    ({}, ["--from", "x", "--force"], ["leave --force and --out out"]),
    ({}, ["--shard", "0/4"], ["--shard 0/4: write I/N with I from 1 to N"]),
    ({}, ["--shard", "1/2", "--html", "a.html"], ["makes no page: leave --html out"]),
    ({}, ["--engine", "dsk"], ["--engine dsk: valid: local, dask"]),
    ({}, ["--engine", "dask", "--jobs", "2"], ["--scheduler is missing", "--jobs is for --engine local"]),
    ({}, ["--gpus", "0,x"], ["--gpus 0,x: write auto, or numbers"]),
    ({}, ["--gpus", "97"], ["--gpus 97: torch sees"]), ({}, ["--jobs", "0"], ["--jobs 0: a whole number from 1"])])
def test_faults_are_told_before_anything_runs(
        changes: dict[str, Any], words: list[str], messages: list[str], write: Write, counted: list[str],
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench(write(**changes), tmp_path / "runs", *words) == 2
    told = capsys.readouterr().err
    assert all(message in told for message in messages) and not counted and not (tmp_path / "runs").exists()


def test_an_unknown_suite_is_told_with_those_that_ship(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "nothing-like-it"]) == 2
    told = "no suite 'nothing-like-it'; valid: choice, claims, classics, cold, curve, demo, food"
    assert told in capsys.readouterr().err
