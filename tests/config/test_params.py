"""One source each: types and ranges in ``Params``, default values in the YAML; the two match one to one."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.config.known import comment_types, fits
from recbole_medmoe.config.loading import read_yaml
from recbole_medmoe.config.settings import Settings
from recbole_medmoe.paths import properties_dir
from recbole_medmoe.registry import MODELS, ModelSpec, find_model


def _yaml(spec: ModelSpec) -> Path:
    return properties_dir() / "model" / f"{spec.name}.yaml"


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_params_and_yaml_have_the_same_keys(spec: ModelSpec) -> None:
    model: Any = spec.load()
    assert set(read_yaml(_yaml(spec)).values) == set(model.Params.model_fields)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_defaults_are_valid(spec: ModelSpec) -> None:
    model: Any = spec.load()
    model.Params.model_validate_json(json.dumps(read_yaml(_yaml(spec)).values), strict=True)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_params_hold_no_second_default_and_refuse_others(spec: ModelSpec) -> None:
    model: Any = spec.load()
    assert model.Params.model_config.get("extra") == "forbid"
    assert [name for name, field in model.Params.model_fields.items() if not field.is_required()] == []


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_every_parameter_is_described(spec: ModelSpec) -> None:
    model: Any = spec.load()
    assert [name for name, field in model.Params.model_fields.items() if not field.description] == []


def test_no_yaml_without_a_model() -> None:
    """``<Model>.yaml``, and ``<Model>.<variant>.yaml`` for other values of it."""
    names = {spec.name for spec in MODELS}
    assert {path.stem.partition(".")[0] for path in (properties_dir() / "model").glob("*.yaml")} == names


@pytest.mark.parametrize("path", sorted((properties_dir() / "model").glob("*.*.yaml")), ids=lambda path: path.stem)
def test_a_variant_has_valid_values_of_its_model(path: Path) -> None:
    model: Any = find_model(path.stem.partition(".")[0]).load()
    own, values = set(model.Params.model_fields), read_yaml(path).values
    assert set(values) <= own | set(Settings.model_fields)
    default = read_yaml(path.with_name(f"{path.stem.partition('.')[0]}.yaml")).values
    changed = {key: value for key, value in values.items() if key in own}
    model.Params.model_validate_json(json.dumps({**default, **changed}), strict=True)
    assert [key for key, value in changed.items() if default[key] == value] == []


def test_every_key_of_overall_is_a_setting() -> None:
    assert set(read_yaml(properties_dir() / "overall.yaml").values) <= set(Settings.model_fields)


def test_overall_values_are_of_the_type_they_state() -> None:
    path = properties_dir() / "overall.yaml"
    values, stated = read_yaml(path).values, comment_types(path)
    assert set(stated) == set(values)
    assert [key for key, value in values.items() if value is not None and not fits(value, stated[key])] == []
