from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from recbole_medmoe.bench.findings import find
from recbole_medmoe.bench.jobs import Cell
from recbole_medmoe.bench.results import Context, Results
from recbole_medmoe.bench.suite import Suite
from recbole_medmoe.errors import DataError
from recbole_medmoe.evaluation import paired_bootstrap
from recbole_medmoe.quick_start.stored import StoredRun

Leave = Callable[..., Path]


def _results(leave: Leave, levels: dict[tuple[str, str], float], images: tuple[str, ...] = ("catalogue",),
             lists: dict[str, float] | None = None, **changes: Any) -> Results:
    """Two seeds of each (row, split)."""
    rows, splits = (list(dict.fromkeys(key[place] for key in levels)) for place in (0, 1))
    found: dict[Cell, dict[int, Path]] = {}
    for (row, split), level in levels.items():
        for shown in images:
            lost = 0 if shown == "catalogue" else .2
            found[Cell(row, split, images=shown)] = {
                seed: leave(row, level - lost, split=split, seed=seed, sha=str(splits.index(split)), images=shown,
                            pooled=(lists or {}).get(row, .5)) for seed in (0, 1)}
    values = {"title": "t", "question": "q?", "dataset": "food", "seeds": [0, 1], "splits": splits,
              "images": list(images), "metrics": ["map@5", "ndcg@5"], "rows": {row: {} for row in rows},
              "comparisons": [{"row": rows[0], "against": rows[1:], "called": "others"}] if rows[1:] else [],
              "figure": "differences", "claim": {"text": "c", "source": "s"}, "name": "mine"}
    return Results(Suite.model_validate({**values, **changes}), found, StoredRun.read)


def test_seeds_are_averaged_per_row_and_tests_agree_with_the_plain_bootstrap(leave: Leave) -> None:
    results = _results(leave, {("H", "warm"): .6, ("E", "warm"): .5})
    test, = results.tests(results.contexts())
    a, b = (np.mean([StoredRun.read(folder).columns["map@5"] for folder in seeds.values()], axis=0)
            for seeds in results.found.values())
    patients = np.array([f"u{row:02d}" for row in range(40)])
    assert test.paired["map@5"] == pytest.approx(paired_bootstrap(a, b, patients, draws=300))
    assert test.p == test.paired["map@5"].p


def test_holm_counts_every_comparison_on_every_split(leave: Leave) -> None:
    results = _results(leave, {(row, split): .6 if row == "H" else .5 for row in "HEL" for split in ("warm", "cold")})
    tests = results.tests(results.contexts())
    assert len(tests) == 4 and all(test.p == pytest.approx(4 * test.paired["map@5"].p) for test in tests)


def test_pooled_splits_draw_patients_not_rows(leave: Leave) -> None:
    results = _results(leave, {(row, split): .6 if row == "H" else .5 for row in "HE" for split in ("f0", "f1")},
                       pooled={"both": ["f0", "f1"]})
    values = results.values(results.contexts()[-1].cells("H"), "map@5")
    assert len(values.rows) == len(set(values.rows)) == 80 and len(set(values.patients)) == 40


def test_folds_count_as_one_split(leave: Leave) -> None:
    results = _results(leave, {("H", split): .6 for split in ("warm", "f0", "f1")}, pooled={"folds": ["f0", "f1"]})
    assert [(one.name, one.splits) for one in results.contexts()] == [("warm", ("warm",)), ("folds", ("f0", "f1"))]


def test_a_row_that_lacks_a_seed_is_left_out_and_counted(leave: Leave) -> None:
    results = _results(leave, {("H", "warm"): .6, ("E", "warm"): .5})
    del results.found[Cell("E", "warm")][1]   # type: ignore[attr-defined]
    assert results.tests(results.contexts()) == []
    finding = find(results)
    assert finding.notes == ("1 of 4 runs are not finished (E 1); what lacks a seed is left out.",)
    assert finding.answer.judged.verdict is None


def test_nothing_holds_before_all_runs_are_there(leave: Leave) -> None:
    results = _results(leave, {("H", "warm"): .6, ("E", "warm"): .5, ("L", "warm"): .7})
    assert find(results).answer.judged.verdict == "does not hold"
    del results.found[Cell("L", "warm")][1]   # type: ignore[attr-defined]
    answer = find(results).answer
    assert answer.judged.verdict == "not shown" and answer.judged.sentences[0].startswith("Runs are missing")


def test_a_cell_that_the_evidence_does_not_know_is_missing(leave: Leave) -> None:
    results = _results(leave, {(row, split): .6 if row == "H" else .5 for row in "HE" for split in ("warm", "cold")})
    part = {cell: seeds for cell, seeds in results.found.items() if cell.split == "warm"}
    finding = find(Results(results.suite, part, StoredRun.read))
    assert finding.answer.judged.verdict == "not shown" and finding.notes[0].startswith("4 of 8 runs are not finished")


def test_holm_counts_comparisons_that_could_not_be_made(leave: Leave) -> None:
    results = _results(leave, {(row, "warm"): .6 if row == "H" else .5 for row in "HEL"})
    del results.found[Cell("L", "warm")][1]   # type: ignore[attr-defined]
    test, = results.tests(results.contexts())
    assert test.p == pytest.approx(2 * test.paired["map@5"].p)


def test_too_few_draws_for_the_comparisons_are_refused(leave: Leave) -> None:
    names = [f"E{place}" for place in range(8)]
    results = _results(leave, {(row, "warm"): .5 for row in ["H", *names]})
    with pytest.raises(DataError, match="8 comparisons and 300 draws.* run with bootstrap_draws of at least 320"):
        find(results)


def test_runs_on_data_of_different_content_are_refused(leave: Leave) -> None:
    results = _results(leave, {("H", "warm"): .6})
    other = {seed: leave("E", .5, seed=seed, sha="b") for seed in (0, 1)}
    suite = results.suite.model_copy(update={"rows": {**results.suite.rows, "E": results.suite.rows["H"]}})
    both = Results(suite, {**results.found, Cell("E", "warm"): other}, StoredRun.read)
    context = Context("warm", ("warm",))
    with pytest.raises(DataError, match="come from data of different content"):
        both.paired_values(context.cells("H"), context.cells("E"), "map@5")


def test_seeds_scored_on_other_rows_are_refused(leave: Leave) -> None:
    found = {Cell("H", "warm"): {0: leave("H", .5), 1: leave("H", .5, seed=1, patients=39)}}
    results = _results(leave, {("E", "cold"): .5})
    with pytest.raises(DataError, match="scored on different data"):
        Results(results.suite, found, StoredRun.read).values([Cell("H", "warm")], "map@5")


def test_a_metric_without_values_per_row_is_told(leave: Leave) -> None:
    results = _results(leave, {("H", "warm"): .6})
    with pytest.raises(DataError, match="no values per row of listdistance@5"):
        results.values([Cell("H", "warm")], "listdistance@5")


def test_differences_are_drawn_and_tabled(leave: Leave) -> None:
    answer = find(_results(leave, {("H", "warm"): .7, ("E", "warm"): .5})).answer
    assert answer.judged.verdict == "holds" and answer.figure is not None and answer.table is not None
    assert answer.table.rows[0][:2] == ("H − E", "warm")


def test_equality_is_shown_within_a_margin_only(leave: Leave) -> None:
    levels = {("H", "warm"): .5, ("E", "warm"): .5}
    wide = find(_results(leave, levels, figure="equivalence", margin=.1)).answer
    assert wide.judged.verdict == "holds" and wide.figure is not None and 'class="band"' in wide.figure.body
    narrow = Results(_suite_with(wide_margin=.0001), _results_found(leave, levels), StoredRun.read)
    assert find(narrow).answer.judged.verdict == "not shown"


def _suite_with(wide_margin: float) -> Suite:
    return Suite.model_validate({
        "title": "t", "question": "q?", "dataset": "food", "seeds": [0], "splits": ["other"], "metrics": ["map@5"],
        "rows": {"H": {}, "EE": {}}, "figure": "equivalence", "margin": wide_margin, "name": "x",
        "claim": {"text": "c", "source": "s"}, "comparisons": [{"row": "H", "against": ["EE"], "called": "it"}]})


def _results_found(leave: Leave, levels: dict[tuple[str, str], float]) -> dict[Cell, dict[int, Path]]:
    return {Cell(row, "other"): {0: leave(row, .5, split="other")} for row in ("H", "EE")}


def test_swapped_pictures_that_hurt_bear_the_claim_out(leave: Leave) -> None:
    results = _results(leave, {("H", "warm"): .6}, ("catalogue", "photo", "none"), figure="swapped", margin=.01)
    answer = find(results).answer
    assert answer.judged.verdict == "holds"
    assert any("H, photo instead of catalogue, all items: −0.200" in text for text in answer.judged.sentences)
    assert any("H, photo, items that are reclassified: MAP@5 0." in text and "−0.100, −0.100 to −0.100" in text
               and "25 patients" in text for text in answer.judged.sentences)


def test_a_fall_is_paired_by_patient_over_two_splits(leave: Leave) -> None:
    levels = {("LLM", "plain"): .5, ("Bow", "plain"): .6, ("LLM", "hard"): .45, ("Bow", "hard"): .3}
    answer = find(_results(leave, levels, figure="fall", claim=None)).answer
    assert answer.judged.verdict is None
    head, _ = answer.judged.sentences
    assert head.startswith("Highest on hard: LLM, MAP@5 0.4")
    assert head.endswith("Change from plain, largest fall first: Bow −0.300; LLM −0.050.")


def test_levels_tell_each_row_on_each_split(leave: Leave) -> None:
    levels = {(row, split): .5 for row in "HE" for split in ("warm", "cold")}
    answer = find(_results(leave, levels, figure="levels", claim=None)).answer
    assert answer.judged.sentences[0].startswith("H, MAP@5: warm 0.")
    assert answer.figure is not None and "cold: H 0." in answer.figure.label


def test_a_pooled_metric_is_tested_over_seeds(leave: Leave) -> None:
    results = _results(leave, {("H", "warm"): .6, ("E", "warm"): .5}, lists={"H": .8, "E": .4}, figure="personal",
                       metrics=["listdistance@5"])
    answer = find(results).answer
    assert answer.judged.verdict == "holds"
    assert answer.judged.sentences[1] == ("H against E on warm: List distance@5 higher (+0.400, p <0.001).")


def test_less_is_more_personal_where_the_suite_says_so(leave: Leave) -> None:
    results = _results(leave, {("H", "warm"): .6, ("E", "warm"): .5}, lists={"H": .8, "E": .4}, figure="personal",
                       metrics=["listdistance@5"], lower=["listdistance@5"])
    assert find(results).answer.judged.verdict == "does not hold"


def test_a_curve_stands_on_shares() -> None:
    suite = Suite.model_validate({
        "title": "t", "question": "q?", "dataset": "food", "seeds": [0], "splits": ["warm"], "metrics": ["map@5"],
        "train_share": [.1, 1.0], "rows": {"H": {}}, "figure": "curve", "name": "x"})
    assert find(Results(suite, {}, StoredRun.read)).answer.judged.sentences == (
        "None of the runs that this needs is finished.",)


@pytest.mark.parametrize(("figure", "p"), [("equivalence", "0.007"), ("personal", "0.013")])
def test_tests_of_missing_runs_count_whatever_the_figure(leave: Leave, figure: str, p: str) -> None:
    results = _results(leave, {(row, "warm"): .6 if row == "H" else .5 for row in "HEL"}, figure=figure, margin=.2,
                       metrics=["map@5"], claim=None)
    del results.found[Cell("L", "warm")][1]   # type: ignore[attr-defined]
    told, = [text for text in find(results).answer.judged.sentences if text.startswith(("warm", "H against E"))]
    assert f"p {p})" in told   # twice that of the one test that could be made


def test_swaps_that_are_missing_count_too(leave: Leave, monkeypatch: pytest.MonkeyPatch) -> None:
    results = _results(leave, {("H", "warm"): .6, ("E", "warm"): .6}, ("catalogue", "photo", "none"), figure="swapped",
                       comparisons=[])
    del results.found[Cell("E", "warm", images="photo")][1]   # type: ignore[attr-defined]
    family: list[int] = []
    holm = results.holm
    monkeypatch.setattr(results, "holm", lambda values, missing=0: family.append(len(values) + missing) or holm(values))
    find(results)
    assert family == [2]   # one per row: where no picture is shown, none is another item's


@pytest.mark.parametrize(("figure", "p"), [("levels", "0.013"), ("personal", "0.013"), ("equivalence", "0.007")])
def test_tests_on_a_split_without_any_run_count_too(leave: Leave, figure: str, p: str) -> None:
    levels = {(row, split): .6 if row == "H" else .5 for row in "HE" for split in ("warm", "cold")}
    results = _results(leave, levels, figure=figure, margin=.2, metrics=["map@5"], claim=None)
    part = {cell: seeds for cell, seeds in results.found.items() if cell.split == "warm"}
    sentences = find(Results(results.suite, part, StoredRun.read)).answer.judged.sentences
    told, = [text for text in sentences if text.startswith(("warm", "H against E"))]
    assert f"p {p})" in told
