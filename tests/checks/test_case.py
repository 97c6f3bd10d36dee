"""Case: which data, which backbone, which keys a model is checked with."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.checks.case import Case
from recbole_medmoe.checks.report import NotApplicable


def test_feature_models_meet_new_patients_and_id_models_known_ones(tmp_path: Path) -> None:
    splits = [Case(name, tmp_path / name).split for name in ("FeatureRidge", "BPR")]
    assert splits == ["cold_patient", "warm"]


def test_models_of_lists_meet_users_with_given_items_whatever_their_name(tmp_path: Path) -> None:
    own = Case("recbole_medmoe.model.amfrec:AMFRec", tmp_path / "own")   # not in the table by this name
    assert own.reads_lists and own.split == "warm" and Case("SASRec", tmp_path / "stock").reads_lists


def test_a_model_that_runs_a_backbone_gets_a_tiny_one(tmp_path: Path) -> None:
    case = Case("LLMOnlyZeroShot", tmp_path)
    assert case.config()["backbone"] == str(tmp_path / "llama")


def test_a_backbone_that_the_user_names_is_kept(tmp_path: Path) -> None:
    assert "backbone" in Case("LLMOnlyZeroShot", tmp_path / "a").overrides()
    named = Case("LLMOnlyZeroShot", tmp_path / "b", {"backbone": "smollm2-135m"})
    assert named.overrides()["backbone"] == "smollm2-135m"


def test_a_check_wins_over_the_user_who_wins_over_the_small_values(tmp_path: Path) -> None:
    case = Case("Pop", tmp_path, {"epochs": 5, "min_group": 3})
    found = case.overrides(epochs=1)
    assert (found["epochs"], found["min_group"], found["bootstrap_draws"]) == (1, 3, 20)


def test_a_relative_path_stays_right_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    case = Case("Pop", tmp_path / "case", {"a": "models/mine", "b": "food_user", "c": Path("models")})
    monkeypatch.chdir("/")
    found = case.overrides()
    assert (found["a"], found["b"], found["c"]) == (str(tmp_path / "models" / "mine"), "food_user",
                                                    str(tmp_path / "models"))


def test_an_id_model_has_no_features_to_ask_for(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="knows users and items by their ids"):
        assert Case("BPR", tmp_path).requests


def test_the_loaders_of_a_check_are_those_of_a_run(tmp_path: Path) -> None:
    case = Case("BPR", tmp_path)
    first, second = (next(iter(case.loaders(case.config())[0])) for _ in range(2))
    assert first["neg_item_id"].tolist() == second["neg_item_id"].tolist()
