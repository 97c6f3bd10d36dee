"""docs/records.md says what the schema says."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.bench.reading import read_sections
from recbole_medmoe.errors import RecordError
from recbole_medmoe.store import record_schema

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
_EXAMPLE = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
assert _EXAMPLE is not None
EXAMPLE: dict[str, Any] = json.loads(_EXAMPLE[1])


def _put(folder: Path, record: dict[str, Any]) -> Path:
    (folder / "mine").mkdir()
    (folder / "mine" / "record.json").write_text(json.dumps(record))
    return folder


def test_every_field_of_the_schema_is_told() -> None:
    told = set(re.findall(r"`([a-z0-9_]+)`", PAGE.partition("## Fields")[2]))
    properties = record_schema()["properties"]
    inner = {name for block in properties.values() for name in block.get("properties", {})}
    assert {*properties, *inner} <= told


def test_the_schema_lies_where_the_page_says() -> None:
    linked, = set(re.findall(r"\]\(\.\./(\S+\.schema\.json)\)", PAGE))
    path = Path(__file__).parents[2] / linked
    assert json.loads(path.read_text(encoding="utf-8")) == record_schema()


def test_the_smallest_record_of_the_page_makes_a_table(tmp_path: Path) -> None:
    section, = read_sections(_put(tmp_path, EXAMPLE))
    assert [(row.name, row.metrics["map@5"].value) for row in section.rows] == [("Mine", .5)]


@pytest.mark.parametrize(("room", "change", "told"), [
    ("evaluation", {"metrics": {"ndcg@5": .5}}, "evaluation.metrics has no value of map@5, the valid_metric"),
    ("evaluation", {"metrics": {"map@5": None}}, "evaluation.metrics has no value of map@5, the valid_metric"),
    ("data", {"split": None}, "model.config lacks eval_args.split, eval_args.order, eval_args.group_by"),
    ("model", {"config": {"learning_rate": .1}}, "model.config lacks valid_metric, eval_args"),
    ("model", {"config": {"valid_metric": "MAP@5", "task": "medication"}},
     "model.config lacks set_threshold, target_visits; data.statistics lacks patients")])
def test_a_record_that_fits_the_schema_and_says_too_little_for_a_table_is_refused_by_name(
        tmp_path: Path, room: str, change: dict[str, Any], told: str) -> None:
    record = {**EXAMPLE, room: {**EXAMPLE[room], **change}}
    with pytest.raises(RecordError) as caught:
        read_sections(_put(tmp_path, record))
    assert f"{tmp_path / 'mine' / 'record.json'}: {told}" in str(caught.value)


def test_a_record_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"mine/record.json: does not fit record schema 1"):
        read_sections(_put(tmp_path, {**EXAMPLE, "extra": 1}))
