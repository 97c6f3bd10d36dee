from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from recbole_medmoe.bench.suite import load_suites, parse_suite, suite_names
from recbole_medmoe.errors import ConfigError

GOOD: dict[str, Any] = {
    "title": "t", "question": "q?", "dataset": "tinyfood", "seeds": [0, 1], "splits": ["cold_patient", "warm"],
    "metrics": ["map@5", "ndcg@5"], "rows": {"Pop": None, "Look-up": {"model": "ConditionLookup", "smoothing": 5.0}},
    "comparisons": [{"row": "Look-up", "against": ["Pop"], "called": "popularity"}], "figure": "differences"}


def _faults(tmp_path: Path, **changes: Any) -> list[str]:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    _, faults = parse_suite(path)
    return [fault.removeprefix(f"{path}: ") for fault in faults]


def test_a_row_without_keys_is_the_model_of_its_label(tmp_path: Path) -> None:
    assert _faults(tmp_path) == []


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    faults = _faults(tmp_path, margin=2.0, level=.4, seeds=[0, -1], reference="Popp", lower=["gini@5"], colour="red",
                     comparisons=[{"row": "Look-up", "against": ["Nobody"], "called": "x"}])
    told = " | ".join(faults)
    for part in ("margin 2.0: ", "level 0.4: ", "seeds, 1 -1: ", "no row 'Popp'; did you mean 'Pop'?",
                 "comparisons: no row 'Nobody'", "'gini@5' is not in metrics", "colour 'red': extra inputs"):
        assert part in told


@pytest.mark.parametrize(("changes", "message"), [
    ({"figure": "equivalence"}, "margin: is missing"), ({"figure": "variants"}, "labels: needs at least two"),
    ({"figure": "curve"}, "train_share: needs at least two"), ({"figure": "swapped"}, "images: needs catalogue"),
    ({"figure": "fall", "splits": ["warm"]}, "splits: needs two"), ({"figure": "tables"}, "reference: is missing"),
    ({"tables": True}, "reference: is missing"),
    ({"comparisons": []}, "comparisons: is missing"), ({"pooled": {"all": ["cold"]}}, "pooled, all: no split 'cold'"),
    ({"rows": {"Pop": {"splits": ["cold"]}, "Look-up": {}}}, "rows, Pop: no split 'cold'"),
    ({"metrics": ["map@5", "itemcoverage@5"]}, "'itemcoverage@5' has one value for all rows together"),
    ({"figure": "tables", "train_share": [.5, 1.0]}, "train_share: a table shows one"),
    ({"figure": "tables", "rows": {"Pop": {"images": ["photo", "none"]}, "Look-up": {}}}, "images: a table shows one")])
def test_what_a_figure_needs_is_asked_for(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert any(message in fault for fault in _faults(tmp_path, **changes))


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no suite 'hybird'; did you mean 'hybrid'"):
        load_suites("hybird")


def test_included_suites_are_looked_for_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    for name, includes in (("outer", ["inner.yaml"]), ("inner", [])):
        text = yaml.safe_dump({**GOOD, "includes": includes}, sort_keys=False)
        (tmp_path / "deep" / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    suites, faults = load_suites("deep/outer.yaml")
    assert [suite.name for suite in suites] == ["outer", "inner"] and not faults


def test_rows_of_another_suite_come_first_and_a_row_of_the_same_name_replaces_one(tmp_path: Path) -> None:
    for name, changes in (("other", {}), ("mine", {"rows_of": "other.yaml", "rows": {
            "Look-up": {"model": "ConditionLookup"}, "BowRidge": None}})):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    suite, faults = parse_suite(tmp_path / "mine.yaml")
    assert faults == [] and {label: (row.model, row.overrides) for label, row in suite.rows.items()} == {
        "Pop": (None, {}), "Look-up": ("ConditionLookup", {}), "BowRidge": (None, {})}
    assert list(suite.rows) == ["Pop", "Look-up", "BowRidge"]


def test_a_suite_may_have_no_rows_but_another_suites(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in GOOD.items() if key not in ("rows", "comparisons")} | {
        "rows_of": "classics", "figure": "tables", "reference": "Pop"}))
    assert parse_suite(path)[0].rows == load_suites("classics")[0][0].rows


@pytest.mark.parametrize(("name", "message"), [
    ("histry", "rows_of: no suite 'histry'; did you mean 'history'"), ("zzz", "no suite 'zzz'; valid: choice, claims"),
    ("claims", "suite 'claims' has no rows"), ("leader_claim", "takes its own from 'leader'; name that one")])
def test_rows_of_a_suite_that_has_none_are_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        _faults(tmp_path, rows_of=name)


def test_narrowing_keeps_order_and_drops_broken_pools(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, "pooled": {"both": ["cold_patient", "warm"]}}))
    suite = parse_suite(path)[0].narrowed(["warm"], [1, 7])
    assert (suite.splits, suite.seeds, suite.pooled) == (["warm"], [1], {})


def test_a_part_of_a_suite_says_which(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    suite = parse_suite(path)[0]
    assert (suite.part, suite.narrowed(None, None).part) == ("", "")
    assert suite.narrowed(["warm"], None).part == "--splits warm"


@pytest.mark.parametrize("name", suite_names())
def test_suites_that_ship_have_no_fault(name: str) -> None:
    _, faults = load_suites(name)
    assert faults == []


def test_food_includes_every_other_suite_of_its_data_but_the_demonstration() -> None:
    assert sorted(suite.name for suite in load_suites("food")[0]) == [
        name for name in suite_names() if load_suites(name)[0][0].dataset == "healthfood" and name != "demo"
        and load_suites(name)[0][0].splits != ["set_completion"]]   # that one has questions of its own


def test_two_suites_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for place in ("mine.yaml", "deep/mine.yaml"):
        (tmp_path / place).write_text(yaml.safe_dump({**GOOD, "includes": ["deep/mine.yaml"]} if "/" not in place
                                                     else GOOD, sort_keys=False))
    _, faults = load_suites(str(tmp_path / "mine.yaml"))
    assert faults == ["mine, includes: two suites are named 'mine'; give one file another name"]
