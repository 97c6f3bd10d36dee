"""Runs on different data are not compared."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.quick_start.comparing import StoredRun, compare_runs


def _run(model: str, sha: str, labels: str | None = None, **data: Any) -> StoredRun:
    record = {"model": {"name": model, "config": {"valid_metric": "MAP@5", "bootstrap_draws": 20}},
              "data": {"name": "food", "split": "cold", "sha256": sha * 64, "labels": labels, **data},
              "evaluation": {"metrics": {"map@5": .5}}}
    return StoredRun(Path("runs"), record, np.array(["a", "b"]), {"map@5": np.array([.25, .75])})


def test_runs_on_one_content_are_compared() -> None:
    assert compare_runs([_run("A", "0"), _run("B", "0")]) is not None


def test_runs_on_different_contents_are_refused_with_hashes_models_and_remedy() -> None:
    with pytest.raises(DataError) as caught:
        compare_runs([_run("A", "0"), _run("B", "1"), _run("B", "1"), _run("C", "0")])
    told = str(caught.value)
    assert f"{'0' * 16} (food, split cold, labels its own): A, C\n" in told
    assert f"{'1' * 16} (food, split cold, labels its own): B\n" in told and told.count("B") == 1
    assert "Run the models again on one content" in told


def test_label_variants_are_told_to_be_data_of_their_own() -> None:
    with pytest.raises(DataError, match="labels its own(.|\n)*labels D01(.|\n)*compare the runs of each apart"):
        compare_runs([_run("A", "0"), _run("A", "1", labels="D01")])


def test_a_record_from_before_label_variants_is_of_the_own_labels() -> None:
    old = _run("A", "0")
    del old.record["data"]["labels"]  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="labels its own"):
        compare_runs([old, _run("B", "1", labels="D01")])


def test_a_share_of_the_training_users_is_the_same_data() -> None:
    assert compare_runs([_run("A", "0", train_share=.1), _run("A", "0", train_share=1.0)], labels=["a", "b"])


def _with_list(model: str, sha: str) -> StoredRun:
    ddi: Any = {"pairs": 3, "rate": .1, "sha256": sha * 64} if sha else "no list"
    return _run(model, "0", statistics={"ddi": ddi})


def test_runs_with_one_list_of_interactions_are_compared() -> None:
    assert compare_runs([_with_list("A", "c"), _with_list("B", "c")]) is not None


@pytest.mark.parametrize(("other", "told"), [("d", f"interactions {'d' * 16}"), ("", "no list of interactions")])
def test_runs_with_different_lists_of_interactions_are_refused_with_their_hashes(other: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        compare_runs([_with_list("A", "c"), _with_list("B", other)])
    assert f"interactions {'c' * 16}): A\n" in str(caught.value) and f"{told}): B\n" in str(caught.value)
    assert "lists of interactions are data of their own" in str(caught.value)


def _parted(model: str, **eval_args: Any) -> StoredRun:
    run = _run(model, "0", split=None)
    run.record["model"]["config"]["eval_args"] = {"mode": "full", **eval_args}
    return run


def test_rows_that_recbole_parts_in_other_ways_are_other_rows() -> None:
    last = {"split": {"LS": "valid_and_test"}, "order": "TO"}
    assert compare_runs([_parted("A", **last), _parted("B", group_by="user", **last)]) is not None
    with pytest.raises(DataError, match="rows parted by .*RS(.|\n)*LS.*: B(.|\n)*same rows with --task=next_item"):
        compare_runs([_parted("A"), _parted("B", **last)])
