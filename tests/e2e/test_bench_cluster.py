"""A suite on a Dask scheduler with two workers, one of which is killed in the middle of a job."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from recbole_medmoe.cli import main
from recbole_medmoe.store import read_record, read_rows

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def _started(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until(is_so: Any, seconds: float = 250) -> Any:
    ends = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < ends, "waited too long"
        time.sleep(.02)
    return found


def _told(folder: Path) -> list[Any]:
    """Of each run, what is no time and no place."""
    told = []
    for path in sorted(folder.rglob("record.json"), key=lambda path: path.parts[-3]):
        record = read_record(path.parent)
        rows = {name: list(values) for name, values in read_rows(path.parent).items()}
        told.append([record["model"], record["data"], record["training"]["seed"], record["evaluation"]["metrics"],
                     record["evaluation"]["groups"], rows])
    return told


@pytest.mark.e2e
@pytest.mark.timeout(900)   # seconds of start-up per process, many more where others use the machine
def test_a_killed_workers_job_is_made_by_the_other_and_the_records_are_the_local_ones(
        tiny_food: Path, tmp_path: Path, in_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client

    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({
        "title": "t", "question": "q?", "dataset": "tinyfood", "seeds": [0], "splits": ["cold_patient"],
        "settings": {"data_path": str(tiny_food.parent), "bootstrap_draws": 100}, "metrics": ["map@5"],
        "rows": {"Pop": {}, "ConditionLookup": {}}, "reference": "Pop", "figure": "tables"}))
    monkeypatch.chdir(tmp_path)
    address = tmp_path / "scheduler.json"
    with ExitStack() as stack:
        stack.enter_context(_started("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                                     "--no-dashboard", "--scheduler-file", str(address)))
        workers = [stack.enter_context(_started(
            "-m", "distributed.cli.dask_worker", "--scheduler-file", str(address), "--nthreads", "1", "--no-nanny",
            "--no-dashboard", "--name", name, "--preload", "recbole_medmoe.bench.cluster_worker",
            "--local-directory", str(tmp_path / name))) for name in ("first", "second")]
        _until(address.exists)
        client = stack.enter_context(Client(scheduler_file=str(address), timeout=100, set_as_default=False))
        client.wait_for_workers(2, timeout=250)
        bench = stack.enter_context(ThreadPoolExecutor(1)).submit(main, [
            "bench", "mine.yaml", "--runs-dir", "far", "--engine", "dask", "--scheduler", client.scheduler.address])
        busy = _until(lambda: [name for name, keys in client.processing().items() if keys])[0]
        name = client.scheduler_info()["workers"][busy]["name"]
        time.sleep(.5)   # its process is about to begin: that takes seconds
        workers[["first", "second"].index(name)].send_signal(signal.SIGKILL)
        assert bench.result(timeout=250) == 0
    assert main(["bench", "mine.yaml", "--runs-dir", "near"]) == 0
    assert len(_told(tmp_path / "far")) == 2 and _told(tmp_path / "far") == _told(tmp_path / "near")
