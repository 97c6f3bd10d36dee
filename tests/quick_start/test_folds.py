"""``--split folds``."""
from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbole_medmoe.bench.reading import read_sections
from recbole_medmoe.errors import ConfigError, DataError
from recbole_medmoe.quick_start import compare
from recbole_medmoe.quick_start.folds import join_folds, need_folds
from recbole_medmoe.quick_start.stored import StoredRun


def _run_folds(data: Path, place: Path) -> list[StoredRun]:
    keys = {"bootstrap_draws": 50, "min_group": 1, "rounds": 2, "device": "cpu", "data_path": str(data.parent)}
    done = compare(["VisitPop"], data.name, split="folds", overrides=keys, runs_dir=place)
    return [StoredRun.read(folder) for folder in done.folders]


def _changed(run: StoredRun, sha: str = "", **statistics: Any) -> StoredRun:
    """The run, of data with another hash or other statistics."""
    record = copy.deepcopy(dict(run.record))
    record["data"]["sha256"] = sha or record["data"]["sha256"]
    record["data"]["statistics"] |= statistics
    return replace(run, record=record)


def _of_before(run: StoredRun, sha: str = "") -> StoredRun:
    """The run, as records were that named the folds without their hashes."""
    return _changed(run, sha, folds=list(run.record["data"]["statistics"]["folds"]))


def _of_other_data(runs: list[StoredRun]) -> list[StoredRun]:
    other = {fold: f"{number}" * 64 for number, fold in enumerate(runs[0].record["data"]["statistics"]["folds"])}
    return [_changed(run, other[run.record["data"]["split"]], folds=other) for run in runs]


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


def test_a_record_holds_the_hashes_of_all_folds(runs: list[StoredRun]) -> None:
    hashes = {run.record["data"]["split"]: run.record["data"]["sha256"] for run in runs}
    assert [run.record["data"]["statistics"]["folds"] for run in runs] == [hashes] * 5


def test_folds_of_different_data_are_not_joined(runs: list[StoredRun]) -> None:
    other = _of_other_data(runs)
    mixed = other[:3] + runs[3:]
    assert join_folds(mixed) == mixed
    kept, *joined = join_folds(runs + other[:1])
    assert kept == other[0] and [run.record["data"] for run in joined] == [join_folds(runs)[0].record["data"]]
    assert len(join_folds(runs + other)) == 2


def test_two_versions_that_differ_in_one_fold_stay_two(runs: list[StoredRun]) -> None:
    changed = {**runs[0].record["data"]["statistics"]["folds"], "fold0": "e" * 64}
    other = _changed(runs[0], "e" * 64, folds=changed)
    kept, joined = join_folds(runs + [other])
    assert kept is other and joined.record["data"] == join_folds(runs)[0].record["data"]


def test_folds_with_other_lists_of_interactions_are_not_joined(runs: list[StoredRun]) -> None:
    other = _changed(runs[0], ddi={"pairs": 1, "rate": .1, "sha256": "f" * 64})
    assert join_folds([other] + runs[1:]) == [other] + runs[1:]


def test_records_of_before_join_among_themselves_and_with_those_of_their_data(runs: list[StoredRun]) -> None:
    before = [_of_before(run) for run in runs]
    for some in (before, before[:2] + runs[2:]):
        joined, = join_folds(some)
        assert sorted(joined.rows) == sorted(join_folds(runs)[0].rows)
    mixed = [_of_before(runs[0], "e" * 64)] + runs[1:]
    assert join_folds(mixed) == mixed


def test_records_of_before_with_two_contents_of_one_fold_are_refused(runs: list[StoredRun]) -> None:
    before = [_of_before(run) for run in runs]
    with pytest.raises(DataError, match="2 contents of fold0") as caught:
        join_folds(before + [_of_before(runs[0], "e" * 64)])
    assert f"VisitPop/{runs[0].record['run']['id']} (fold0)" in str(caught.value)


def test_rows_that_two_folds_score_are_refused_with_the_runs_and_without_the_rows(runs: list[StoredRun]) -> None:
    again = replace(runs[4], rows=np.concatenate([runs[1].rows[:2], runs[4].rows[2:]]))
    with pytest.raises(DataError, match="2 test rows are scored by more than one fold") as caught:
        join_folds(runs[:4] + [again])
    told = str(caught.value)
    assert all(f"VisitPop/{runs[fold].record['run']['id']} (fold{fold})" in told for fold in (1, 4))
    assert "(fold0)" not in told and runs[1].rows[0] not in told


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
