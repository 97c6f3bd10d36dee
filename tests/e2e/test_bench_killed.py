"""A suite that is killed outright goes on where it was."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from recbole_medmoe.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
@pytest.mark.timeout(900)   # seconds of start-up per process, many more where others use the machine
@pytest.mark.usefixtures("in_process")   # of the second start; the first one has processes
def test_killed_in_the_middle_finished_jobs_are_kept_and_the_rest_runs(tiny_food: Path, tmp_path: Path) -> None:
    suite, runs = tmp_path / "mine.yaml", tmp_path / "runs"
    suite.write_text(
        "title: t\nquestion: q?\ndataset: tinyfood\nseeds: [0, 1]\nsplits: [cold_patient]\n"
        f"settings: {{data_path: '{tiny_food.parent}', bootstrap_draws: 100}}\nmetrics: [map@5]\n"
        "rows: {ConditionLookup: {}, Pop: {}}\nreference: Pop\nfigure: tables\n")
    command = [sys.executable, str(ROOT / "run_recbole_medmoe.py"), "bench", str(suite), "--runs-dir", str(runs)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        while process.poll() is None and not list(runs.rglob("record.json")):
            time.sleep(.02)
        while process.poll() is None and not (jobs := psutil.Process(process.pid).children()):
            time.sleep(.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not psutil.wait_procs(jobs, timeout=60)[1]   # the job that went on ended with it
    finished = {path: path.read_bytes() for path in runs.rglob("record.json")}
    assert 1 <= len(finished) < 4
    assert main(["bench", str(suite), "--runs-dir", str(runs)]) == 0
    records = list(runs.rglob("record.json"))
    assert len(records) == 4 and all(path.read_bytes() == content for path, content in finished.items())
