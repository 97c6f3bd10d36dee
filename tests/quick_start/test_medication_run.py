"""What a run on visits leaves."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from recbole_medmoe.quick_start import RunResult, load, run
from recbole_medmoe.quick_start.stored import StoredRun
from recbole_medmoe.store import read_record, read_rows


@pytest.fixture
def run_visits(tiny_visits: Path, tmp_path: Path) -> Callable[..., RunResult]:
    """``run_visits("VisitPop", rounds=2)`` -> a run on ``tinyvisits`` in a folder of its own."""

    def make(model: str, folder: Path = tiny_visits, **keys: Any) -> RunResult:
        small = {"epochs": 2, "bootstrap_draws": 50, "min_group": 1, "device": "cpu", "data_path": str(folder.parent)}
        return run(model, folder.name, overrides={**small, **keys}, runs_dir=tmp_path / "runs")

    return make


def test_the_threshold_is_in_the_record_and_in_the_trained_folder(run_visits: Callable[..., RunResult]) -> None:
    done = run_visits("VisitPop")
    stored = json.loads((done.folder / "model" / "threshold.json").read_text())
    assert done.record["evaluation"]["threshold"] == stored["threshold"] == load(done.folder).threshold
    assert stored["rule"] == "tuned" and done.record["evaluation"]["test_scored"] == 1


def test_rows_have_patient_metrics_and_parts_of_the_rates(run_visits: Callable[..., RunResult]) -> None:
    done = run_visits("VisitPop")
    rows, metrics = read_rows(done.folder), read_record(done.folder)["evaluation"]["metrics"]
    assert 0 < len(set(rows["patient"])) < len(rows["row"])
    for name in ("prauc", "jaccard", "f1", "setsize", "truesetsize", "recall@5", "ndcg@10"):
        assert np.mean(rows[name]) == pytest.approx(metrics[name])
    for name in ("ddirate", "trueddirate"):
        assert rows[f"{name}/numerator"].sum() / rows[f"{name}/denominator"].sum() == pytest.approx(metrics[name])


def test_validation_is_scored_by_prauc(run_visits: Callable[..., RunResult], visit_data: Callable[..., Any]) -> None:
    done = run_visits("VisitPop")
    _, _, valid, _ = visit_data("VisitPop", device="cpu")
    expected = []
    for batch in valid:
        scores = done.model.full_sort_predict(batch[0]).view(len(batch[0]), -1).detach().numpy()
        for row, values in enumerate(scores):
            truth = np.isin(np.arange(1, len(values)), batch[3][batch[2] == row])
            expected.append(average_precision_score(truth, values[1:]))
    assert done.record["training"]["valid"]["prauc"] == pytest.approx(np.mean(expected), abs=1e-4)


def test_groups_count_patients(run_visits: Callable[..., RunResult]) -> None:
    stored = StoredRun.read(run_visits("VisitPop").folder)
    line = stored.record["evaluation"]["groups"]["multi_visit"]
    inside = stored.groups["multi_visit"]
    assert line["n"] == len(set(stored.clusters[inside])) < inside.sum()
    assert line["metrics"]["prauc"] == pytest.approx(stored.columns["prauc"][inside].mean())


def test_without_a_list_of_interactions_the_rates_are_asked_for_and_not_known(own_visits: Path,
                                                                              run_visits: Callable[..., RunResult],
                                                                              ) -> None:
    (own_visits / "ddi.csv").unlink()
    found = run_visits("VisitPop", own_visits).record
    assert found["evaluation"]["metrics"]["ddirate"] is None and found["data"]["statistics"]["ddi"] == "no list"


def test_rounds_are_recorded_where_they_are_asked_for(run_visits: Callable[..., RunResult]) -> None:
    assert "rounds" not in run_visits("VisitPop").record["evaluation"]
    found = run_visits("VisitPop", rounds=4, round_share=.5).record["evaluation"]["rounds"]
    assert (found["rounds"], found["share"]) == (4, .5)
    assert set(found["metrics"]["prauc"]) == {"mean", "std"} and found["metrics"]["prauc"]["std"] > 0


def test_patients_of_credentialed_data_are_hashed(own_visits: Path, run_visits: Callable[..., RunResult]) -> None:
    from recbole_medmoe.atomic import write_manifest

    write_manifest(own_visits, title="t", source=["s"], licence="l", command="c", splits={"patient": "d"},
                   default_split="patient", derived_from_credentialed=True)
    rows = read_rows(run_visits("VisitPop", own_visits).folder)
    assert all(len(token) == 24 for token in (*rows["patient"], *rows["row"]))
    assert len(set(rows["patient"])) < len(set(rows["row"]))
