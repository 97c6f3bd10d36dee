"""Rows that differ in data, protocol or budget stand in tables of their own."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.bench.reading import read_sections
from recbole_medmoe.bench.report import render_html
from recbole_medmoe.store import read_record, write_record

Leave = Callable[..., Path]
SEARCH = {"trials": 20, "minutes": None, "algorithm": "tpe"}


def _change(folder: Path, room: str, **values: Any) -> None:
    record = read_record(folder)
    (record["model"]["config"] if room == "config" else record[room]).update(values)
    write_record(folder, record)


def _rows(runs: Path) -> list[list[str]]:
    return [[row.name for row in section.rows] for section in read_sections(runs)]


@pytest.mark.parametrize(("room", "values", "told"), [
    ("data", {"sha256": "b" * 64}, "the content of the data (SHA-256 here aaaaaaaaaaaa)"),
    ("data", {"train_share": .2}, "the share of the training users (here 100%)"),
    ("config", {"eval_args": {"mode": "uni100"}}, "the protocol (here mode full)"),
    ("config", {"images": "photo"}, "the protocol (here mode full)"),
    ("config", {"set_threshold": .5}, "the protocol (here mode full)"),
    ("config", {"valid_metric": "NDCG@5"}, "the metric that validation chose by (here map@5)"),
    ("training", {"search": SEARCH}, "the tuning budget (here not tuned)")])
def test_runs_that_differ_are_not_in_one_table_and_each_table_says_why(
        leave: Leave, tmp_path: Path, room: str, values: dict[str, Any], told: str) -> None:
    leave("A", .4), leave("B", .5)
    _change(leave("C", .6), room, **values)
    sections = read_sections(tmp_path / "runs")
    assert sorted(sorted(row.name for row in section.rows) for section in sections) == [["A", "B"], ["C"]]
    assert all(any("stand in tables of their own" in note for note in section.notes) for section in sections)
    first = next(section for section in sections if len(section.rows) == 2)
    assert any(told in note for note in first.notes)


def test_a_metric_that_only_some_rows_have_parts_them(leave: Leave, tmp_path: Path) -> None:
    leave("A", .4)
    folder = leave("B", .5)
    record = read_record(folder)
    del record["evaluation"]["metrics"]["ndcg@5"]
    write_record(folder, record)
    assert sorted(_rows(tmp_path / "runs")) == [["A"], ["B"]]
    assert any("the metrics asked for" in note for note in read_sections(tmp_path / "runs")[0].notes)


def test_runs_that_agree_share_a_table_without_a_remark(leave: Leave, tmp_path: Path) -> None:
    leave("A", .4), leave("B", .5)
    section, = read_sections(tmp_path / "runs")
    assert not any("of their own" in note for note in section.notes)


def test_another_split_is_no_reason_for_a_remark(leave: Leave, tmp_path: Path) -> None:
    leave("A", .4), leave("B", .5, split="cold")
    assert not any("of their own" in note for section in read_sections(tmp_path / "runs") for note in section.notes)


def test_a_model_that_has_nothing_to_tune_stands_beside_every_budget(leave: Leave, tmp_path: Path) -> None:
    _change(leave("A", .4), "training", search=SEARCH)
    _change(leave("B", .5), "training", search={**SEARCH, "trials": 5})
    _change(leave("Pop", .2), "training", search={**SEARCH, "trials": 0})
    assert sorted(sorted(rows) for rows in _rows(tmp_path / "runs")) == [["A", "Pop"], ["B", "Pop"]]


def test_tables_on_the_same_data_have_anchors_of_their_own(leave: Leave, tmp_path: Path) -> None:
    leave("A", .4)
    _change(leave("B", .5), "training", search=SEARCH)
    anchors = [section.anchor for section in read_sections(tmp_path / "runs")]
    page = render_html(read_sections(tmp_path / "runs"))
    assert len(set(anchors)) == 2 and all(page.count(f'id="{anchor}"') == 1 for anchor in anchors)
