from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from recbole_medmoe.bench.evidence import Reader, read_evidence, write_evidence
from recbole_medmoe.bench.jobs import Cell
from recbole_medmoe.bench.suite import Suite
from recbole_medmoe.errors import RecordError
from recbole_medmoe.quick_start.stored import StoredRun
from recbole_medmoe.store import read_record, read_rows, write_record

Leave = Callable[..., Path]
SUITE = Suite.model_validate({
    "title": "t", "question": "q?", "dataset": "food", "seeds": [0, 1], "splits": ["warm"], "reference": "A",
    "metrics": ["map@5", "ndcg@5"], "rows": {"A": {}}, "figure": "tables", "name": "mine"})
CELL = Cell("A", "warm")


def _found(leave: Leave) -> dict[str, dict[Cell, dict[int, Path]]]:
    return {"mine": {CELL: {seed: leave("A", .5, seed=seed, images="photo") for seed in (0, 1)}}}


def test_what_is_kept_reads_as_the_run_itself(leave: Leave, tmp_path: Path) -> None:
    found = _found(leave)
    write_evidence(tmp_path / "out", [SUITE], found)
    kept = read_evidence(tmp_path / "out", [SUITE])
    assert list(kept["mine"]) == [CELL]
    read = Reader([SUITE])
    for seed, folder in kept["mine"][CELL].items():
        ours, whole = read(folder), read(found["mine"][CELL][seed])
        assert np.array_equal(ours.rows, whole.rows) and ours.record["training"] == whole.record["training"]
        assert list(ours.columns) == ["map@5", "ndcg@5"]
        assert all(np.array_equal(ours.columns[metric], whole.columns[metric]) for metric in ours.columns)


def test_what_can_be_made_again_is_left_out(leave: Leave, tmp_path: Path) -> None:
    write_evidence(tmp_path / "out", [SUITE], _found(leave))
    folder = read_evidence(tmp_path / "out", [SUITE])["mine"][CELL][0]
    assert sorted(path.name for path in folder.iterdir()) == ["record.json", "rows.parquet"]
    kept = [name for name in read_rows(folder) if not name.startswith("items: ")]
    assert kept == ["row", "group:condition:gout", "map@5", "ndcg@5"]   # no lists, no group of 3
    record = read_record(folder)
    assert record["data"]["statistics"] == {"title": "Food"}
    assert list(record["evaluation"]["groups"]["condition:gout"]["metrics"]) == ["map@5"]
    assert list(record["evaluation"]["groups"]["items: reclassified"]["metrics"]) == ["map@5", "ndcg@5"]
    assert record["evaluation"]["metrics"]["mrr@10"] == .5   # means stay


def test_first_seeds_of_tables_keep_their_validation_by_epoch_and_nothing_else_of_their_logs(
        leave: Leave, tmp_path: Path) -> None:
    found = _found(leave)
    for folder in found["mine"][CELL].values():
        (folder / "log.jsonl").write_text('{"epoch": 0, "loss": 2.0}\n'
                                          '{"epoch": 1, "loss": 1.0, "valid_score": 0.123456}\n')
    write_evidence(tmp_path / "out", [SUITE], found)
    first, second = read_evidence(tmp_path / "out", [SUITE])["mine"][CELL].values()
    assert (first / "log.jsonl").read_text() == '{"epoch": 1, "valid_score": 0.1235}\n'
    assert not (second / "log.jsonl").exists()


@pytest.mark.parametrize("option", ["--runs-dir '/home/me/my runs'", "--runs-dir=/home/me/runs"])
def test_the_command_does_not_tell_where_its_maker_kept_the_runs(leave: Leave, tmp_path: Path, option: str) -> None:
    folder = leave("A", .5)
    record = read_record(folder)
    record["run"]["command"] = f"recbole-medmoe --model A {option} '--modalities=[image, text]'"
    write_record(folder, record)
    write_evidence(tmp_path / "out", [SUITE], {"mine": {CELL: {0: folder}}})
    kept, = (tmp_path / "out").rglob("record.json")
    assert read_record(kept.parent)["run"]["command"] == "recbole-medmoe --model A '--modalities=[image, text]'"


def test_a_fold_keeps_its_small_groups_for_the_folds_together(leave: Leave, tmp_path: Path) -> None:
    folder = leave("A", .5, split="fold0")
    record = read_record(folder)
    record["data"]["statistics"]["folds"] = {"fold0": "a" * 64, "fold1": "b" * 64}
    write_record(folder, record)
    cell = Cell("A", "fold0")
    write_evidence(tmp_path / "out", [SUITE], {"mine": {cell: {0: folder}}})
    kept = read_rows(read_evidence(tmp_path / "out", [SUITE])["mine"][cell][0])
    assert int(np.sum(kept["group:condition:low_calcium"])) == 3


def test_writing_again_gives_the_same_bytes_and_drops_what_is_not_used(leave: Leave, tmp_path: Path) -> None:
    found = _found(leave)
    write_evidence(tmp_path / "a", [SUITE], found)
    stale = tmp_path / "b" / "records" / "Old" / "run"
    stale.mkdir(parents=True)
    write_evidence(tmp_path / "b", [SUITE], found)
    assert not stale.exists()
    first, second = ({path.relative_to(tmp_path / name): path.read_bytes()
                      for path in (tmp_path / name).rglob("*") if path.is_file()} for name in "ab")
    assert first == second and len(first) == 5


def test_evidence_can_be_written_from_itself(leave: Leave, tmp_path: Path) -> None:
    write_evidence(tmp_path / "out", [SUITE], _found(leave))
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    write_evidence(tmp_path / "out", [SUITE], read_evidence(tmp_path / "out", [SUITE]))
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}


def test_each_run_is_read_once(leave: Leave) -> None:
    read, folder = Reader([SUITE]), leave("A", .5)
    assert read(folder) is read(folder) and isinstance(read(folder), StoredRun)


@pytest.mark.parametrize(("content", "message"), [
    (None, "no such file; evidence is written by bench SUITE --out"), ("[", "damaged"), ('{"mine": [{}]}', "damaged"),
    (json.dumps({"other": []}), "knows no suite mine; it holds other")])
def test_evidence_that_is_none_is_told(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "index.json").write_text(content)
    with pytest.raises(RecordError, match=message):
        read_evidence(tmp_path, [SUITE])


@pytest.mark.parametrize("private", [False, True])
def test_only_the_owner_may_enter_evidence_of_credentialed_data(leave: Leave, tmp_path: Path, private: bool) -> None:
    found = _found(leave)
    for folder in found["mine"][CELL].values():
        record = read_record(folder)
        record["data"]["derived_from_credentialed"] = private
        write_record(folder, record)
    write_evidence(tmp_path / "out", [SUITE], found)
    for folder in read_evidence(tmp_path / "out", [SUITE])["mine"][CELL].values():
        assert (stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0) == private
