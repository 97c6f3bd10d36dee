from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from recbole_medmoe.bench.search.distributions import KINDS
from recbole_medmoe.bench.search.proposing import Proposer
from recbole_medmoe.bench.search.space import check_space, find_space, read_space
from recbole_medmoe.config import MedConfig
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.paths import properties_dir
from recbole_medmoe.registry import MODELS, find_model

SHIPPED = sorted(path.stem for path in (properties_dir() / "search").glob("*.yaml"))
Write = Callable[..., Path]


@pytest.mark.parametrize("name", [spec.name for spec in MODELS] + [
    "BPR", "NeuMF", "LightGCN", "EASE", "ItemKNN", "MultiVAE", "SASRec", "GRU4Rec", "FM", "DeepFM", "WideDeep"])
def test_a_space_ships_for_every_model_of_ours_and_the_classics_of_the_suites(name: str) -> None:
    assert read_space(find_space(find_model(name))).path.stem == name


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_space_has_keys_and_values_that_its_model_takes(
        name: str, tiny_food: Path, tiny_visits: Path, tiny_choice: Path) -> None:
    own = {"medication": (tiny_visits, "warm_visit"), "choice": (tiny_choice, "question")}
    folder, split = own.get(find_model(name).task, (tiny_food, "warm"))
    base = MedConfig(name, folder.name, split=split, overrides={"data_path": str(folder.parent)})
    space = read_space(find_space(base.spec))
    check_space(space, base, {"data_path": str(folder.parent)}, "tpe")
    trained_at_once = {"LLMOnlyZeroShot", "FeatureRidge", "BowRidge", "ConditionLookup", "EASE", "VisitPop",
                       "RepeatLast", "Pop", "VisitLR", "LLMGenerate", "ItemKNN", "OptionPosition", "LongestOption",
                       "OptionOverlap"}
    assert (space.stopping is None) == (name in trained_at_once)


def test_every_wrong_distribution_is_told_at_once_with_its_line(space_file: Write) -> None:
    path = space_file("learning_rate: {loguniform: [0, 0.1]}", "dropout: {unifrom: [0, 1]}", "width: 64",
                      "experts: {int: [8, 2]}", "hidden: {choice: []}", "top_k: {choice: [1, 1]}",
                      "weight_decay: {uniform: [0, 1, 2]}", "state_scale: {quniform: [0, 1, 0.3]}",
                      "auxiliary_weight: {uniform: ['0', 1]}", "modality_dropout: {int: [0.5, 2]}",
                      "median_stopping: {warmup: 5, after_trials: 0}")
    with pytest.raises(ConfigError) as caught:
        read_space(path)
    told = caught.value.faults
    for line, words in ((1, "learning_rate, loguniform: low 0: input should be greater than 0"),
                        (2, "dropout: no distribution 'unifrom'; did you mean 'uniform'"), (3, "width: 64 is no dis"),
                        (4, "experts, int: low 8 is not below high 2"), (5, "hidden, choice: values"),
                        (6, "top_k, choice: 1 stands there twice"), (7, "write {uniform: [low, high]}"),
                        (8, "high 1 is not reached from low 0 in steps of 0.3"), (9, "low '0': input should be a"),
                        (10, "low 0.5: input should be a valid integer"), (11, "did you mean 'warmup_epochs'"),
                        (11, "after_trials 0: input should be greater than 0")):
        assert any(fault.startswith(f"{path}:{line}: ") and words in fault for fault in told), (line, words, told)


def test_keys_and_values_that_the_model_does_not_take_are_told_with_their_lines(
        space_file: Write, food_config: Callable[..., MedConfig]) -> None:
    path = space_file("learning_rat: {uniform: [0.1, 0.2]}", "dropout: {uniform: [0, 3]}",
                      "learner: {choice: [adam, adem]}", "seed: {int: [0, 9]}", "topk: {choice: [[5], [10]]}")
    base = food_config("MoEOnly")
    with pytest.raises(ConfigError) as caught:
        check_space(read_space(path), base, {"data_path": base.resolved()["data_path"]}, "tpe")
    told = "\n".join(caught.value.faults)
    for words in (f"unknown key 'learning_rat' ({path}:1); did you mean 'learning_rate'", f"dropout = 3.0 ({path}:2)",
                  f"learner = 'adem' ({path}:3)", f"{path}:4: seed says what is measured", f"{path}:5: topk says what"):
        assert words in told
    assert len(caught.value.faults) == 5


def test_an_exhaustive_search_needs_an_end_of_values(
        space_file: Write, food_config: Callable[..., MedConfig]) -> None:
    path = space_file("experts: {int: [2, 4]}", "learning_rate: {loguniform: [0.001, 0.1]}")
    with pytest.raises(ConfigError, match="2: learning_rate has no end of values"):
        base = food_config("MoEOnly")
        check_space(read_space(path), base, {"data_path": base.resolved()["data_path"]}, "exhaustive")


def test_an_exhaustive_search_has_a_bound(space_file: Write, food_config: Callable[..., MedConfig]) -> None:
    path = space_file("hidden: {int: [1, 2000]}", "width: {int: [1, 2000]}")
    with pytest.raises(ConfigError, match="an exhaustive search of 4000000 points"):
        base = food_config("MoEOnly")
        check_space(read_space(path), base, {"data_path": base.resolved()["data_path"]}, "exhaustive")


def test_points_of_a_finite_space_are_all_of_it(space_file: Write) -> None:
    space = read_space(space_file("a: {choice: [x, y]}", "b: {quniform: [0.1, 0.3, 0.1]}", "c: {int: [1, 2]}"))
    points = [space.point(number) for number in range(12)]
    assert space.size == 12 and len({str(point) for point in points}) == 12
    assert points[0] == {"a": "x", "b": 0.1, "c": 1} and points[-1] == {"a": "y", "b": 0.3, "c": 2}


@pytest.mark.parametrize(("written", "expected"), [
    ("{int: [2, 5]}", [2, 3, 4, 5]), ("{quniform: [0, 0.6, 0.2]}", [0.0, .2, .4, .6]), ("{choice: [a, 7]}", ["a", 7])])
def test_both_ends_are_drawn_as_often_as_the_rest(space_file: Write, written: str, expected: list[object]) -> None:
    space = read_space(space_file(f"key: {written}"))
    proposer = Proposer(space, "random", 0, {}, True)
    drawn = Counter(str(proposer.propose(number, [], [])["key"]) for number in range(1, 401))   # type: ignore[index]
    assert set(drawn) == {str(value) for value in expected}
    share = 1 / len(expected)
    assert all(abs(count / 400 - share) < 4 * np.sqrt(share * (1 - share) / 400) for count in drawn.values())


def test_a_value_and_hyperopts_number_for_it_belong_together(space_file: Write) -> None:
    for name, listed in (("choice", "[a, [1, 2], null]"), ("int", "[2, 5]"), ("quniform", "[0.1, 0.5, 0.2]"),
                         ("loguniform", "[0.001, 1]"), ("uniform", "[-1, 1]")):
        distribution = read_space(space_file(f"key: {{{name}: {listed}}}")).keys["key"]
        for value in distribution.ends():
            raw = distribution.raw(value)
            assert raw is not None and distribution.value(raw) == value
        assert distribution.raw("nothing like it") is None and KINDS[name] is type(distribution)
