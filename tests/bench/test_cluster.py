from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.bench import cluster, cluster_worker
from recbole_medmoe.bench.cluster import DaskEngine, unpack
from recbole_medmoe.bench.engine import Answer, Order
from recbole_medmoe.cli import main
from recbole_medmoe.errors import ConfigError, RecordError

_FILES = {"food/Pop/1/record.json": b"{}", "food/Pop/1/rows.parquet": b"rows", "food/Pop/1/model/meta.json": b"[]"}


def _hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_what_comes_back_lies_where_it_lay_and_private_folders_stay_so(tmp_path: Path) -> None:
    unpack(_FILES, _hashes(_FILES), ["food/Pop/1"], tmp_path)
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*")
            if path.is_file()} == _FILES
    assert stat.S_IMODE((tmp_path / "food/Pop/1").stat().st_mode) == 0o700


def test_records_are_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(cluster, "atomic_write", lambda path, content: written.append(path.name))
    unpack(_FILES, _hashes(_FILES), [], tmp_path)
    assert written[-1] == "record.json" and len(written) == 3


def test_damaged_content_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="rows.parquet: came back damaged"):
        unpack({**_FILES, "food/Pop/1/rows.parquet": b"rovs"}, _hashes(_FILES), [], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../other/record.json", "/etc/record.json"])
def test_paths_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="leads out of the runs folder"):
        unpack({name: b""}, _hashes({name: b""}), [], tmp_path / "runs")
    with pytest.raises(RecordError, match="leads out of the runs folder"):
        unpack(_FILES, _hashes(_FILES), [name], tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_an_order_on_a_worker_has_its_device_a_folder_of_its_own_and_the_salt(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def process(text: str) -> dict[str, Any]:
        seen.update(json.loads(text))
        folder = Path(seen["folder"])
        seen["salt"] = (folder / "food" / ".salt").read_bytes()
        (folder / "food" / "Pop").mkdir()
        (folder / "food" / "Pop" / "record.json").write_bytes(b"{}")
        return seen

    monkeypatch.setattr(cluster_worker, "Process", process)
    monkeypatch.setattr(cluster_worker, "_wait", lambda process: Answer({"folder": "food/Pop"}, "", "said"))
    cluster_worker._devices.put("cuda:7")
    told = cluster_worker.carry_out(Order("a", "run", {"model": "Pop"}).text(Path(), None), {"food": "c2FsdA=="})
    assert seen["values"] == {"model": "Pop", "device": "cuda:7"} and seen["salt"] == b"salt"
    assert told["files"] == {"food/Pop/record.json": b"{}"} and told["sha256"] == _hashes(told["files"])
    assert cluster_worker._devices.get_nowait() == "cuda:7" and not Path(seen["folder"]).exists()


class _Client:
    def __init__(self, *workers: dict[str, int]) -> None:
        self.workers = {str(number): {"resources": resources} for number, resources in enumerate(workers)}

    def scheduler_info(self) -> dict[str, Any]:
        return {"workers": self.workers}


@pytest.mark.parametrize(("workers", "on_gpus", "slots"), [
    ([], False, 1), ([{"JOB": 1, "GPU": 0}, {"JOB": 4, "GPU": 4}, {}], False, 5),
    ([{"JOB": 1, "GPU": 0}, {"JOB": 4, "GPU": 4}], True, 4)])
def test_slots_are_those_that_the_workers_advertise(workers: list[dict[str, int]], on_gpus: bool, slots: int) -> None:
    engine = DaskEngine(Path(), "tcp://x:1", on_gpus)
    engine._client = _Client(*workers)
    assert engine.slots == slots


@pytest.mark.parametrize(("worker", "on_gpus", "message"), [
    ({}, False, "none of its 1 workers takes our jobs; start them with: dask worker ADDRESS --preload"),
    ({"JOB": 1, "GPU": 0}, True, "none of its 1 workers has a GPU")])
def test_workers_that_can_not_do_it_are_told(worker: dict[str, int], on_gpus: bool, message: str) -> None:
    engine = DaskEngine(Path(), "tcp://x:1", on_gpus)
    engine._client = _Client(worker)
    with pytest.raises(ConfigError, match=message):
        engine.slots


def test_a_worker_advertises_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class State:
        total_resources: dict[str, float] = {}
        available_resources: dict[str, float] = {}

    class Worker:
        state = State()

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    cluster_worker.dask_setup(Worker())
    assert State.total_resources == State.available_resources == {"JOB": 2, "GPU": 2}
    assert [cluster_worker._devices.get_nowait() for _ in range(2)] == ["cuda:0", "cuda:1"]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_is_not_there_is_one_message(
        address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cluster, "_TIMEOUT", .5)
    assert main(["bench", "classics", "--runs-dir", str(tmp_path / "runs"), "--engine", "dask", "--scheduler",
                 address]) == 2
    told = capsys.readouterr().err
    assert f"--scheduler {address}: no Dask scheduler answers there" in told and "Traceback" not in told
    assert not (tmp_path / "runs").exists()
