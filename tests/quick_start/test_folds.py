"""``--split folds``."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recbole_medmoe.bench.reading import read_sections
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.quick_start import compare
from recbole_medmoe.quick_start.folds import join_folds, need_folds
from recbole_medmoe.quick_start.stored import StoredRun


def _run_folds(data: Path, place: Path) -> list[StoredRun]:
    keys = {"bootstrap_draws": 50, "min_group": 1, "rounds": 2, "device": "cpu", "data_path": str(data.parent)}
    done = compare(["VisitPop"], data.name, split="folds", overrides=keys, runs_dir=place)
    return [StoredRun.read(folder) for folder in done.folders]


@pytest.fixture(scope="module")
def runs(_tiny_visits: Path, tmp_path_factory: pytest.TempPathFactory) -> list[StoredRun]:
    """The runs of all folds of VisitPop."""
    return _run_folds(_tiny_visits, tmp_path_factory.mktemp("runs"))


def test_every_visit_is_scored_once_by_the_run_of_its_fold(runs: list[StoredRun], tiny_visits: Path) -> None:
    joined, = join_folds(runs)
    lines = (tiny_visits / f"{tiny_visits.name}.user").read_text().splitlines()[1:]
    assert sorted(joined.rows) == sorted(line.split("\t")[0] for line in lines)
    for run in runs:
        own = np.isin(joined.rows, run.rows)
        assert sorted(joined.columns["prauc"][own]) == sorted(run.columns["prauc"])


def test_each_fold_has_a_threshold_of_its_own(runs: list[StoredRun]) -> None:
    thresholds = join_folds(runs)[0].record["evaluation"]["thresholds"]
    assert thresholds == [run.record["evaluation"]["threshold"] for run in runs] and len(set(thresholds)) > 1


def test_pooled_rates_and_groups_are_of_all_visits_together(runs: list[StoredRun]) -> None:
    joined, = join_folds(runs)
    above, below = (sum(run.columns[f"ddirate/{part}"].sum() for run in runs) for part in ("numerator", "denominator"))
    evaluation = joined.record["evaluation"]
    assert evaluation["metrics"]["ddirate"] == pytest.approx(above / below)
    inside = joined.groups["single_visit"]
    assert evaluation["groups"]["single_visit"]["metrics"]["f1"] == pytest.approx(joined.columns["f1"][inside].mean())


def test_the_rounds_of_one_fold_are_not_those_of_all(runs: list[StoredRun]) -> None:
    assert "rounds" in runs[0].record["evaluation"] and "rounds" not in join_folds(runs)[0].record["evaluation"]


def test_names_written_in_all_folds_are_counted_together(runs: list[StoredRun]) -> None:
    told = [replace(run, record={**run.record, "evaluation": {**run.record["evaluation"], "written": {
        "visits": 9, "names": number, "unknown": 1, "empty": 0, "cut": 0}}}) for number, run in enumerate(runs)]
    assert join_folds(told)[0].record["evaluation"]["written"] == {"visits": 45, "names": 10, "unknown": 5, "empty": 0,
                                                                   "cut": 0}


def test_folds_whose_fellows_are_missing_stay_apart(runs: list[StoredRun]) -> None:
    assert join_folds(runs[:4]) == runs[:4]


def test_a_report_shows_all_folds_as_one_table_without_older_runs(runs: list[StoredRun], tiny_visits: Path) -> None:
    place = runs[0].folder.parents[2]
    _run_folds(tiny_visits, place)
    section, = read_sections(place)
    assert (section.title, section.notes) == ("tinyvisits · folds",
                                              ("5 older runs of equal configuration and seed left out.",))
    assert len(section.rows[0].thresholds) == 5
    assert any("every row is scored once, by the model of its fold" in line for line in section.protocol)


def test_a_data_set_without_folds_is_named_with_what_it_offers(tiny_food: Path) -> None:
    with pytest.raises(ConfigError, match="'tinyfood' has no splits fold0, fold1 ...; it offers cold_item0, cold_pat"):
        need_folds(tiny_food)


def test_the_folds_of_a_data_set_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for split in ("fold10", "fold2", "patient", "folded"):
        (folder / f"many.{split}.train.inter").touch()
    assert need_folds(folder) == ["fold2", "fold10"]
