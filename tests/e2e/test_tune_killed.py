"""A search that is killed outright goes on where it was, with the trials of one that was not."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recbole_medmoe.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
def test_killed_in_the_middle_finished_trials_are_kept_and_the_rest_are_the_same(
        tiny_food: Path, tmp_path: Path, in_process: None) -> None:
    words = ["tune", "--model", "ConditionLookup", "--dataset", "tinyfood", f"--data_path={tiny_food.parent}",
             "--trials", "4", "--seed", "7", "--out"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    trials = killed / "ConditionLookup" / "trials.jsonl"
    process = subprocess.Popen([sys.executable, str(ROOT / "run_recbole_medmoe.py"), *words, str(killed)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        while process.poll() is None and not (trials.is_file() and trials.read_bytes().count(b"\n")):
            time.sleep(.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = trials.read_bytes()
    assert main([*words, str(killed), "--resume"]) == 0
    assert main([*words, str(whole)]) == 0
    assert trials.read_bytes().startswith(before[:before.rfind(b"\n") + 1]) and before.count(b"\n") < 4
    kept, same = ([json.loads(line) for line in (place / "ConditionLookup" / "trials.jsonl").read_text().splitlines()]
                  for place in (killed, whole))
    assert [(one["number"], one["values"], one["score"]) for one in kept] == [
        (one["number"], one["values"], one["score"]) for one in same]
