"""Types as RecBole's comments state them; keys as its sources read them."""
from __future__ import annotations

import pytest

from recbole_medmoe.config import known
from recbole_medmoe.registry import find_model


@pytest.mark.parametrize("value, stated, right", [
    (1, "int", True), (1.0, "int", False), (True, "int", False), (1, "float", True), ("1", "float", False),
    ([1, 2], "list of int", True), ([1, "a"], "list of int", False), ([0.1, 1], "list of float", True),
    (None, "str or None", True), (None, "str", False), ("a", "list or str", True), ("a", "string", True),
    ({}, "dict", True), ("a", "file name of stored model", True), (None, "str, optional", True),
])
def test_fits(value: object, stated: str, right: bool) -> None:
    assert known.fits(value, stated) is right


@pytest.mark.parametrize("stated, default, expected", [
    ("int", 5, "int"), ("int", 0.5, "float"), (None, 5, "float"), (None, None, None), ("str", None, "str or None"),
    (None, True, "bool"),
])
def test_expected_type(stated: str | None, default: object, expected: str | None) -> None:
    assert known.expected_type(stated, default) == expected


def test_keys_of_recboles_argument_lists_and_sources() -> None:
    keys = known.data_keys()
    assert {"USER_ID_FIELD", "load_col", "numerical_features", "tail_ratio", "epochs", "runs_dir"} <= keys
    assert not {"MODEL_TYPE", "local_rank", "nproc"} & keys


def test_keys_that_only_a_models_source_reads() -> None:
    assert "mf_pretrain_path" in known.source_keys("recbole.model.general_recommender.neumf:NeuMF")
    assert "mf_pretrain_path" not in known.source_keys("recbole.model.general_recommender.bpr:BPR")


def test_lower_case_yaml_of_lightgbm_is_found() -> None:
    found = known.model_yaml(find_model("LightGBM"))
    assert found is not None and found[0].name == "lightgbm.yaml"
