from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Mapping

import pytest
import yaml
from trial_engine import Here, parabola, scored

from recbole_medmoe.bench.search import Budget, Search, SearchedElsewhere, searching
from recbole_medmoe.config import MedConfig
from recbole_medmoe.errors import RecordError, TrainingError

Make = Callable[..., Search]


def _values(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    return [line["values"] for line in sorted(lines, key=lambda line: line["number"])]


def test_the_first_trial_has_the_models_own_values(make_search: Make) -> None:
    outcome = make_search().run(Here(parabola), Budget(1))
    assert outcome.trials[0].values == {"learning_rate": .003, "experts": 4}


@pytest.mark.parametrize("algorithm", ["tpe", "random", "exhaustive"])
@pytest.mark.parametrize("slots", [1, 3])
def test_a_search_that_was_killed_goes_on_with_the_trials_of_one_that_was_not(
        make_search: Make, tmp_path: Path, algorithm: str, slots: int) -> None:
    lines = ("learning_rate: {choice: [0.001, 0.003, 0.01, 0.03]}", "experts: {int: [2, 8]}")
    make = dict(lines=lines, algorithm=algorithm)
    make_search("whole", **make).run(Here(parabola, slots), Budget(14))
    for stop in (1, 5, 10):
        place = f"stopped{stop}"
        done: list[Any] = []

        def killed(values: Mapping[str, Any]) -> dict[str, Any]:
            if len(done) == stop:
                raise KeyboardInterrupt
            done.append(values)
            return parabola(values)

        with pytest.raises(KeyboardInterrupt):
            make_search(place, **make).run(Here(killed, slots, backwards=True), Budget(14))
        rest = Here(parabola, slots=2)   # fewer or more at once change nothing either
        make_search(place, **make).run(rest, Budget(14), resume=True)
        assert _values(tmp_path / place) == _values(tmp_path / "whole") and len(rest.asked) == 14 - stop


def test_a_larger_budget_adds_to_the_trials_that_are_there(make_search: Make, tmp_path: Path) -> None:
    make_search("a").run(Here(parabola), Budget(12))
    make_search("b").run(Here(parabola), Budget(5))
    more = Here(parabola)
    make_search("b").run(more, Budget(12), resume=True)
    assert len(more.asked) == 7 and _values(tmp_path / "a") == _values(tmp_path / "b")


def test_tpe_learns_from_results_and_random_does_not(make_search: Make, tmp_path: Path) -> None:
    def other(values: Mapping[str, Any]) -> dict[str, Any]:
        return scored(-parabola(values)["score"])

    for algorithm, same in (("random", True), ("tpe", False)):
        for name, function in (("a", parabola), ("b", other)):
            make_search(f"{name}-{algorithm}", algorithm=algorithm).run(Here(function), Budget(14))
        left, right = (_values(tmp_path / f"{name}-{algorithm}") for name in "ab")
        assert (left == right) == same and left[:8] == right[:8]


def test_tpe_ends_nearer_to_the_best_than_chance(make_search: Make) -> None:
    means = {algorithm: sum(trial.score or 0 for seed in (1, 2, 3) for trial in make_search(
        f"{algorithm}{seed}", algorithm=algorithm, seed=seed).run(Here(parabola), Budget(30)).trials[10:])
        for algorithm in ("tpe", "random")}
    assert means["tpe"] > means["random"]


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_a_choice_of_one_value_is_that_value(make_search: Make, algorithm: str) -> None:
    lines = ("experts: {choice: [6]}", "learning_rate: {loguniform: [0.001, 0.1]}")
    outcome = make_search(lines=lines, algorithm=algorithm).run(Here(parabola), Budget(12))
    assert {trial.values["experts"] for trial in outcome.trials[1:]} == {6}


def test_another_seed_makes_another_search(make_search: Make, tmp_path: Path) -> None:
    for seed in (0, 1):
        make_search(f"s{seed}", seed=seed).run(Here(parabola), Budget(4))
    assert _values(tmp_path / "s0")[1:] != _values(tmp_path / "s1")[1:]


def test_a_search_ends_when_every_point_was_tried_and_none_twice(make_search: Make) -> None:
    for algorithm in ("exhaustive", "random", "tpe"):
        outcome = make_search(algorithm, lines=("experts: {int: [2, 8]}",), algorithm=algorithm,
                              overrides={"learning_rate": .01}).run(Here(parabola), Budget(40))
        assert sorted(trial.values["experts"] for trial in outcome.trials) == [2, 3, 4, 5, 6, 7, 8]


def test_time_is_a_budget_too_and_counts_what_earlier_calls_took(make_search: Make) -> None:
    assert len(make_search("a").run(Here(parabola), Budget(None, minutes=.2)).trials) == 4   # 3 s each
    make_search("b").run(Here(parabola), Budget(2))
    more = Here(parabola)
    outcome = make_search("b").run(more, Budget(None, minutes=.2), resume=True)
    assert len(more.asked) == 2 and outcome.searched()["minutes"] == .2


def test_a_trial_that_fails_is_kept_with_its_reason_and_the_search_goes_on(make_search: Make) -> None:
    def failing(values: Mapping[str, Any]) -> dict[str, Any]:
        if values["overrides"]["experts"] == 4:
            raise RuntimeError("loss is not finite")
        return parabola(values)

    outcome = make_search().run(Here(failing), Budget(12))
    assert outcome.trials[0].status == "failed" and outcome.trials[0].reason == "loss is not finite"
    assert len(outcome.trials) == 12 and outcome.best is not None and outcome.best.status == "finished"


def test_a_search_whose_first_trials_all_fail_ends(make_search: Make) -> None:
    def failing(values: Mapping[str, Any]) -> dict[str, Any]:
        raise RuntimeError("no memory")

    here = Here(failing)
    with pytest.raises(TrainingError, match="the first 5 trials all failed, the last one: no memory"):
        make_search().run(here, Budget(20))
    assert len(here.asked) == 5


def test_a_trial_is_compared_with_finished_trials_of_earlier_groups(make_search: Make) -> None:
    lines = ("experts: {int: [2, 8]}", "median_stopping: {warmup_epochs: 1, after_trials: 2}")
    here = Here(lambda values: scored(.5, [(0, .4), (1, .5)], "stopped" if len(here.asked) == 2 else "finished"), 2)
    make_search(lines=lines).run(here, Budget(5))
    assert [len(values["finished"]) for values in here.asked] == [0, 0, 1, 1, 3]
    assert here.asked[0]["stopping"] == {"warmup_epochs": 1, "after_trials": 2}


def test_what_the_user_gives_is_not_searched(make_search: Make) -> None:
    here = Here(lambda values: scored(.5))
    make_search(overrides={"experts": 7}).run(here, Budget(3))
    assert [values["overrides"]["experts"] for values in here.asked] == [7, 7, 7]


@pytest.mark.parametrize(("change", "words"), [
    ({"seed": 4}, "seed: 3 there, 4 asked for"), ({"algorithm": "random"}, 'algorithm: "tpe" there'),
    ({"split": "warm"}, 'split: "cold_patient" there'),
    ({"overrides": {"dropout": .5}}, "dropout null there, 0.5 asked"),
    ({"lines": ("experts: {int: [2, 5]}",)}, "space: learning_rate")])
def test_another_search_at_the_same_place_is_refused(
        make_search: Make, change: dict[str, Any], words: str) -> None:
    make_search().run(Here(parabola), Budget(2))
    with pytest.raises(RecordError) as caught:
        make_search(**change).run(Here(parabola), Budget(2), resume=True)
    assert "holds another search" in str(caught.value) and words in str(caught.value)


def test_a_search_is_gone_on_with_only_when_asked(make_search: Make) -> None:
    make_search().run(Here(parabola), Budget(2))
    with pytest.raises(RecordError, match="--resume goes on with it"):
        make_search().run(Here(parabola), Budget(3))


def test_the_best_values_are_a_file_that_a_configuration_takes(make_search: Make, tiny_food: Path) -> None:
    outcome = make_search(overrides={"hidden": 32}).run(Here(parabola), Budget(6))
    best, figure = outcome.write()
    config = MedConfig("MoEOnly", "tinyfood", files=[best])
    assert outcome.best is not None and config["experts"] == outcome.best.values["experts"] and config["hidden"] == 32
    assert config["search"]["trials"] == 6 and config["search"]["score"] == outcome.best.score
    assert best.read_text().startswith("# MoEOnly on tinyfood, split cold_patient: the best of 6 trials")
    assert figure.read_text().startswith("<svg") and "best so far" in figure.read_text()
    assert yaml.safe_load(best.read_text())["search"]["space_sha256"] == outcome.space.sha256


def test_the_same_search_writes_the_same_figure(make_search: Make) -> None:
    first, second = (make_search(name).run(Here(parabola), Budget(6)).figure().standalone() for name in "ab")
    assert first == second


def test_a_stopped_trial_is_never_the_best(make_search: Make) -> None:
    here = Here(lambda values: scored(.9 if len(here.asked) == 2 else .5, None,
                                      "stopped" if len(here.asked) == 2 else "finished"))
    outcome = make_search().run(here, Budget(3))
    assert outcome.best == outcome.trials[0] and [trial.number for trial in outcome.ranked] == [0, 2, 1]


def test_the_rest_of_a_group_is_compared_with_what_the_whole_group_would_have_been(make_search: Make) -> None:
    lines = ("experts: {int: [2, 8]}", "median_stopping: {warmup_epochs: 1, after_trials: 1}")
    done: list[Any] = []

    def killed(values: Mapping[str, Any]) -> dict[str, Any]:
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(values)
        return scored(.5, [(0, .4), (1, .5)])

    with pytest.raises(KeyboardInterrupt):
        make_search(lines=lines).run(Here(killed, slots=3), Budget(6))
    rest = Here(parabola_of_experts, slots=3)
    make_search(lines=lines).run(rest, Budget(6), resume=True)
    assert [len(values["finished"]) for values in [*done, *rest.asked]] == [0, 0, 0, 3, 3, 3]


def parabola_of_experts(values: Mapping[str, Any]) -> dict[str, Any]:
    return scored(-abs(values["overrides"]["experts"] - 4))


def test_an_exact_budget_sees_its_own_trials_alone_also_where_a_larger_one_ran_before(make_search: Make) -> None:
    small = make_search("a").run(Here(parabola, slots=2), Budget(5))
    make_search("b").run(Here(parabola, slots=2), Budget(12))
    again = Here(parabola)
    outcome = make_search("b").run(again, Budget(5), resume=True, exact=True)
    assert again.asked == [] and outcome.overrides() == small.overrides()
    timed = make_search("b").run(again, Budget(None, minutes=.2), resume=True, exact=True)   # 3 s each, two at once
    assert again.asked == [] and len(timed.trials) == 4
    assert len(make_search("b").run(again, Budget(5), resume=True).trials) == 12


def test_two_processes_that_begin_one_search_at_once_agree_on_its_groups(
        make_search: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    search, other = make_search(), make_search()
    begin = search.store.begin

    def meanwhile(what: Any) -> None:   # what a second process does between a look and a note
        with pytest.raises(SearchedElsewhere):
            other.run(Here(parabola, slots=2), Budget(2), resume=True)
        begin(what)

    monkeypatch.setattr(search.store, "begin", meanwhile)
    assert search.run(Here(parabola), Budget(2)).what["parallel"] == search.store.what()["parallel"] == 1


@pytest.mark.parametrize("private", [False, True])
def test_trials_on_credentialed_data_say_so_that_a_cluster_hashes_ids_with_the_same_salt(
        make_search: Make, monkeypatch: pytest.MonkeyPatch, private: bool) -> None:
    monkeypatch.setattr(searching, "is_credentialed", lambda folder: private)
    here = Here(parabola)
    make_search().run(here, Budget(1))
    assert here.asked[0]["private"] is private
