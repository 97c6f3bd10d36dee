from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.atomic import label_variants
from recbole_medmoe.bench.engine import LocalEngine
from recbole_medmoe.bench.jobs import Cell, cells_of, make_plan
from recbole_medmoe.bench.pool import Pool, run_jobs
from recbole_medmoe.bench.suite import Suite, load_suites, suite_names
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.paths import dataset_folder


def _suite(tiny_food: Path, name: str = "mine", **changes: Any) -> Suite:
    values: dict[str, Any] = {
        "name": name, "title": "t", "question": "q?", "dataset": "tinyfood", "seeds": [0, 1],
        "splits": ["cold_patient", "warm"], "settings": {"data_path": str(tiny_food.parent)}, "metrics": ["map@5"],
        "rows": {"Pop": {}, "Look-up": {"model": "ConditionLookup", "splits": ["warm"]}}, "reference": "Pop",
        "figure": "tables"}
    return Suite.model_validate({**values, **changes})


def test_rows_stand_on_the_splits_they_name(tiny_food: Path) -> None:
    assert [(cell.split, cell.row) for cell, _ in cells_of(_suite(tiny_food))] == [
        ("cold_patient", "Pop"), ("warm", "Pop"), ("warm", "Look-up")]


def test_two_suites_that_ask_for_the_same_run_share_it(tiny_food: Path) -> None:
    other = _suite(tiny_food, "other", rows={"Popularity": {"model": "Pop"}}, reference="Popularity", seeds=[1, 2])
    plan = make_plan([_suite(tiny_food), other])
    assert len(plan.jobs) == 6 + 2   # seed 1 of Pop is there already, on both splits
    cell = Cell("Pop", "warm")
    assert plan.cells["mine"][cell][1] == plan.cells["other"][cell._replace(row="Popularity")][1]


def test_a_row_takes_files_of_keys_below_its_own(tiny_food: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("epochs: 3\nlearning_rate: 0.5\n")
    rows = {"MoEOnly": {"config": str(tmp_path / "mine.yaml"), "learning_rate": 0.25}}
    plan = make_plan([_suite(tiny_food, splits=["warm"], seeds=[0], rows=rows, reference="MoEOnly")])
    job, = plan.jobs.values()
    assert (job.overrides["epochs"], job.overrides["learning_rate"]) == (3, 0.25)


def test_a_file_of_keys_that_is_not_there_is_told_with_its_row(tiny_food: Path) -> None:
    with pytest.raises(ConfigError, match="rows, Look-up: .*nowhere"):
        make_plan([_suite(tiny_food, rows={"Pop": {}, "Look-up": {"model": "ConditionLookup", "config": "nowhere"}})])


def test_every_condition_is_a_configuration_of_its_own(tiny_food: Path) -> None:
    plan = make_plan([_suite(tiny_food, train_share=[0.5, 1.0], splits=["warm"], rows={"Pop": {}})])
    keys = {cell.train_share: seeds[0] for cell, seeds in plan.cells["mine"].items()}
    assert keys[.5].config_sha256 != keys[1.0].config_sha256 and keys[.5].data_sha256 == keys[1.0].data_sha256
    assert plan.jobs[keys[.5]].order().values["overrides"]["train_share"] == .5
    assert str(plan.jobs[keys[.5]]) == "Pop, warm, train_share 0.5, seed 0"


def test_seed_and_split_make_other_runs(tiny_food: Path) -> None:
    plan = make_plan([_suite(tiny_food, rows={"Pop": {}})])
    assert len({(key.config_sha256, key.data_sha256) for key in plan.jobs}) == 2
    assert {key.seed for key in plan.jobs} == {0, 1}


def _llm_suite(tiny_food: Path, prompt: Path, **settings: Any) -> Suite:
    return _suite(tiny_food, splits=["cold_patient"], seeds=[0], rows={"LLMOnly": {}}, reference="LLMOnly",
                  settings={"data_path": str(tiny_food.parent), "user_prompt": str(prompt), **settings})


def test_an_edited_prompt_makes_other_runs(tiny_food: Path, tmp_path: Path) -> None:
    prompt = tmp_path / "mine.txt"
    keys = []
    for text in ("Patient: {text}", "A patient: {text}", "Patient: {text}"):
        prompt.write_text(text)
        keys += make_plan([_llm_suite(tiny_food, prompt)]).jobs
    assert keys[0] == keys[2] and keys[1] == keys[0]._replace(prompts=keys[1].prompts) != keys[0]


def test_prompts_and_backbones_that_are_not_there_are_told_before_anything_runs(
        tiny_food: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="prompt template .*mine.txt': no file"):
        make_plan([_llm_suite(tiny_food, tmp_path / "mine.txt")])
    (tmp_path / "mine.txt").write_text("{text}")
    with pytest.raises(ConfigError, match="backbone 'nobody/nothing' is neither packaged nor a folder"):
        make_plan([_llm_suite(tiny_food, tmp_path / "mine.txt", backbone="nobody/nothing")])


def test_another_list_of_interactions_makes_other_runs(own_visits: Path) -> None:
    keys = []
    for change in ("", "m1,m2,Major\n"):
        with (own_visits / "ddi.csv").open("a", encoding="utf-8") as stream:
            stream.write(change)
        suite = _suite(own_visits, dataset=own_visits.name, splits=["patient"], seeds=[0], rows={"VisitPop": {}},
                       reference="VisitPop", metrics=["prauc"])
        keys += make_plan([suite]).jobs
    assert keys[1] == keys[0]._replace(interactions=keys[1].interactions) != keys[0]


@pytest.mark.usefixtures("in_process")
def test_the_record_of_a_run_has_the_key_of_its_job(tiny_food: Path, own_visits: Path, tmp_path: Path) -> None:
    visits = _suite(own_visits, dataset=own_visits.name, splits=["patient"], seeds=[0], rows={"VisitPop": {}},
                    reference="VisitPop", metrics=["prauc"])
    small = {"data_path": str(tiny_food.parent), "epochs": 1, "device": "cpu", "cache_dir": str(tmp_path / "cache")}
    food = _suite(tiny_food, splits=["cold_patient"], seeds=[0], rows={"LLMOnly": {}}, reference="LLMOnly",
                  settings=small)
    jobs = make_plan([visits, food]).jobs
    assert [(bool(key.interactions), len(key.prompts or ()), len(key.backbones)) for key in jobs] == [
        (True, 0, 0), (False, 2, 1)]
    assert run_jobs(jobs.values(), Pool(tmp_path / "runs"), LocalEngine(tmp_path / "runs")) == []


def test_an_edited_model_of_ones_own_makes_other_runs(
        tiny_food: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "from recbole_medmoe.model.baselines.pop import Pop\n\n\nclass Own(Pop):\n    pass\n"
    keys = []
    for ending in ("", "# edited\n", ""):
        (tmp_path / "own_pop.py").write_text(text + ending)
        keys += make_plan([_suite(tiny_food, seeds=[0], splits=["warm"], rows={"own_pop:Own": {}},
                                  reference="own_pop:Own")]).jobs
    assert keys[0] == keys[2] and keys[1] == keys[0]._replace(code=keys[1].code) != keys[0]


def test_a_data_set_without_named_splits_is_split_its_own_way() -> None:
    suite = Suite.model_validate({
        "name": "mine", "title": "t", "question": "q?", "dataset": "ml-100k", "seeds": [0], "metrics": ["recall@10"],
        "rows": {"Pop": {}}, "reference": "Pop", "figure": "tables"})
    job, = make_plan([suite]).jobs.values()
    assert str(job) == "Pop, seed 0" and job.order().values["split"] == ""


def test_faults_of_all_rows_and_splits_are_told_at_once(tiny_food: Path) -> None:
    rows = {"Pop": {}, "Mine": {"model": "Popp"}, "Look-up": {"model": "ConditionLookup", "smoothin": 2.0},
            "EASE": {}}
    with pytest.raises(ConfigError) as caught:
        make_plan([_suite(tiny_food, rows=rows, metrics=["map@7"])], ["mine.yaml: margin 2: too large"])
    told = str(caught.value)
    for part in ("margin 2: too large", "rows, Mine: no model 'Popp'", "rows, Look-up: unknown key 'smoothin'",
                 "metrics: 'map@7' is not computed", "EASE: knows users only by their ids"):
        assert part in told


def test_an_unknown_data_set_is_told_once_for_all_rows(tiny_food: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        make_plan([_suite(tiny_food, dataset="tinyfod", splits=["warm"])])
    assert len([fault for fault in caught.value.faults if "no data set 'tinyfod'" in fault]) == 1
    assert "rows" not in caught.value.faults[0]


def test_a_label_variant_that_is_not_there_is_told(tiny_food: Path) -> None:
    with pytest.raises(ConfigError, match="no label variant 'Z'"):
        make_plan([_suite(tiny_food, labels=[None, "Z"], splits=["cold_patient"], rows={"Pop": {}})])


@pytest.mark.parametrize("name", ["swapped", "tuning", "demo", "classics", "order"])
def test_shipped_suites_fit_the_shipped_data(name: str) -> None:
    suites, faults = load_suites(name)
    plan = make_plan(suites, faults)
    assert len(plan.jobs) == sum(len(seeds) for cells in plan.cells.values() for seeds in cells.values())


def test_what_items_without_a_modality_cost_is_seen_on_the_runs_of_fusion() -> None:
    (fusion,), _ = load_suites("fusion")
    (missing,), _ = load_suites("missing")
    assert len(make_plan([fusion, missing]).jobs) == len(make_plan([fusion]).jobs)


def test_the_suite_of_claims_includes_every_suite_that_states_one() -> None:
    (claims, *others), faults = load_suites("claims")
    shipped = [load_suites(name)[0][0] for name in suite_names()]
    assert not faults and sorted(claims.includes) == sorted(suite.name for suite in shipped if suite.claim is not None)
    assert not list(cells_of(claims)) and [suite.name for suite in others] == claims.includes


def test_the_label_variants_of_the_suite_are_those_that_ship() -> None:
    (suite,), _ = load_suites("labels")
    assert sorted(name for name in suite.labels if name) == sorted(label_variants(dataset_folder(suite.dataset)))


def test_labels_of_the_settings_are_those_of_the_data(tiny_food: Path) -> None:
    variant = label_variants(tiny_food)[0]
    one = dict(splits=["cold_patient"], seeds=[0], rows={"Pop": {}})
    settings = {"data_path": str(tiny_food.parent), "labels": variant}
    assert list(make_plan([_suite(tiny_food, **one, settings=settings)]).jobs) == list(
        make_plan([_suite(tiny_food, **one, labels=[variant])]).jobs)


def test_an_edited_prompt_of_its_own_makes_other_runs_and_stands_in_the_record(tiny_food: Path, tmp_path: Path) -> None:
    prompt = tmp_path / "mine.txt"
    keys = []
    for text in ("Likes {history}: {user}", "One who likes {history}: {user}"):
        prompt.write_text(text)
        settings = {"data_path": str(tiny_food.parent), "prompt": str(prompt)}
        keys += make_plan([_suite(tiny_food, seeds=[0], splits=["warm"], rows={"AMFRec": {}}, reference="AMFRec",
                                  settings=settings)]).jobs
    assert keys[1] == keys[0]._replace(prompts=keys[1].prompts) != keys[0]
