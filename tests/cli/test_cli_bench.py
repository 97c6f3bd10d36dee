from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from recbole_medmoe.bench import pool as pools
from recbole_medmoe.cli import main

Write = Callable[..., Path]


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
    run = pools.run_config

    def counting(config: Any, runs_dir: Path) -> Any:
        result = run(config, runs_dir=runs_dir)
        done.append(f"{config.spec.name} {config['seed']}")
        return result

    monkeypatch.setattr(pools, "run_config", counting)
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
    run = pools.run_config

    def stopping(config: Any, runs_dir: Path) -> Any:
        if len(counted) == 2:
            raise KeyboardInterrupt
        return run(config, runs_dir=runs_dir)

    monkeypatch.setattr(pools, "run_config", stopping)
    assert _bench(suite, runs, "--html", str(tmp_path / "a.html")) == 130
    assert counted == ["ConditionLookup 0", "ConditionLookup 1"] and not (tmp_path / "a.html").exists()
    monkeypatch.setattr(pools, "run_config", run)
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
    assert main(["bench", str(suite), "--from", str(out), "--html", str(tmp_path / "b.html"), "--md",
                 str(tmp_path / "b.md")]) == 0
    assert len(counted) == 4
    assert (tmp_path / "b.html").read_bytes() == (out / "page.html").read_bytes()
    assert (tmp_path / "b.md").read_bytes() == (tmp_path / "a.md").read_bytes()
    assert main(["report", str(out), "--html", str(tmp_path / "c.html")]) == 0


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
    assert "1 job failed:\n  Broken, cold_patient, seed 0: RuntimeError: on purpose (trace: " in told


def test_two_parts_fill_one_pool(write: Write, counted: list[str], tmp_path: Path) -> None:
    suite, runs = write(splits=["cold_patient", "warm"], seeds=[0]), tmp_path / "runs"
    for split in ("cold_patient", "warm"):
        assert _bench(suite, runs, "--splits", split) == 0
    assert _bench(suite, runs) == 0
    assert len(counted) == 4


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
    ({}, ["--from", "x", "--force"], ["leave --force and --out out"])])
def test_faults_are_told_before_anything_runs(
        changes: dict[str, Any], words: list[str], messages: list[str], write: Write, counted: list[str],
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench(write(**changes), tmp_path / "runs", *words) == 2
    told = capsys.readouterr().err
    assert all(message in told for message in messages) and not counted and not (tmp_path / "runs").exists()


def test_an_unknown_suite_is_told_with_those_that_ship(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "nothing-like-it"]) == 2
    assert "no suite 'nothing-like-it'; valid: choice, cold, curve" in capsys.readouterr().err
