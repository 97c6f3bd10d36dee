from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Iterator

import pytest

from recbole_medmoe.bench.engine import LocalEngine, Order, Outcome, Process

# Stands for the worker: the same files, without the seconds that its imports take.
_WORKER = """
import json, os, sys, time
place = sys.argv[1]
order = json.load(open(os.path.join(place, "order.json")))
values = order["values"]
print("said", values["name"])
if values.get("die"):
    os.kill(os.getpid(), values["die"])
time.sleep(values.get("sleep", 0))
if "meet" in values:   # ends only when all four are at work at once, or says after a minute how many were
    open(os.path.join(values["meet"], str(values["name"])), "w").close()
    until = time.monotonic() + 60
    while len(os.listdir(values["meet"])) < 4 and time.monotonic() < until:
        time.sleep(.01)
    values["met"] = len(os.listdir(values["meet"]))
told = {"message": "on purpose"} if values.get("fail") else {"result": {**values, "pid": os.getpid(),
                                                             "threads": os.environ.get("OMP_NUM_THREADS")}}
json.dump(told, open(os.path.join(place, "answer.json"), "w"))
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(place: Path, log: Any, environ: dict[str, str]) -> Any:
        return subprocess.Popen([sys.executable, "-S", "-c", _WORKER, str(place)], env=environ, stdin=subprocess.PIPE,
                                stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    monkeypatch.setattr(Process, "_start", staticmethod(start))


def _orders(*values: dict[str, Any]) -> Iterator[Order]:
    return (Order(f"order {number}", "run", {"name": number, **one}) for number, one in enumerate(values))


def _results(outcomes: Iterator[Outcome]) -> list[dict[str, Any]]:
    return [outcome.result for outcome in outcomes if outcome.result is not None]


def test_each_order_has_a_process_of_its_own(tmp_path: Path) -> None:
    first, second = _results(LocalEngine(tmp_path).run(_orders({}, {})))
    assert len({first["pid"], second["pid"], os.getpid()}) == 3


def test_the_next_order_is_asked_for_when_the_outcomes_so_far_were_taken(tmp_path: Path) -> None:
    seen: list[str] = []

    def orders() -> Iterator[Order]:
        for order in _orders({}, {}, {}):
            seen.append(f"asked {order.name}")
            yield order

    for outcome in LocalEngine(tmp_path).run(orders()):
        seen.append(f"took {outcome.order.name}")
    assert seen == [f"{what} order {number}" for number in range(3) for what in ("asked", "took")]


def test_jobs_go_on_at_once_and_share_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    told = _results(LocalEngine(tmp_path, jobs=4).run(_orders(*[{"meet": str(meeting)}] * 4)))
    assert [one["met"] for one in told] == [4] * 4 and {one["threads"] for one in told} == {"2"}


def test_each_device_takes_one_order_at_a_time(tmp_path: Path) -> None:
    told = _results(LocalEngine(tmp_path, ["cuda:0", "cuda:1"]).run(_orders({"sleep": 1}, {}, {})))
    assert {one["name"]: one["device"] for one in told} == {0: "cuda:0", 1: "cuda:1", 2: "cuda:1"}


def test_a_failure_keeps_all_that_its_process_printed(tmp_path: Path) -> None:
    failed, fine = LocalEngine(tmp_path).run(_orders({"fail": True}, {}))
    assert failed.failure is not None and fine.failure is None and failed.failure.message == "on purpose"
    assert failed.failure.log is not None and "said 0" in failed.failure.log.read_text()
    assert failed.failure.log.parent == tmp_path / "failed" and failed.failure.log.name.startswith("order-0-")


def test_a_killed_process_is_a_failure_that_names_the_signal(tmp_path: Path) -> None:
    outcome, = LocalEngine(tmp_path).run(_orders({"die": 9}))
    assert outcome.failure is not None and "killed by signal 9 (memory that ran out?)" in outcome.failure.message


def test_closing_ends_what_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    start = Process._start
    monkeypatch.setattr(Process, "_start", staticmethod(lambda *words: made.append(start(*words)) or made[-1]))
    with closing(LocalEngine(tmp_path, jobs=2).run(_orders({}, {"sleep": 60}))) as outcomes:   # type: ignore[type-var]
        next(outcomes)
    assert [process.poll() is not None for process in made] == [True, True]


def test_a_process_in_another_folder_finds_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    process = Process(json.dumps({"kind": "nothing", "values": {}, "folder": "."}))
    while not process.is_done:
        time.sleep(.02)
    assert process._popen.returncode == 0   # and no abort on the thread that waits for the parent
    assert process.answer().message == "KeyError: 'nothing'"


def test_the_worker_ends_with_the_process_that_asked() -> None:
    code = ("import threading, time; from recbole_medmoe.bench.worker import _end_with_parent; "
            "threading.Thread(target=_end_with_parent, daemon=True).start(); time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert process.stdin is not None and process.poll() is None
    process.stdin.close()   # what the system does with the pipe of a process that is gone
    assert process.wait(timeout=30) == 1
