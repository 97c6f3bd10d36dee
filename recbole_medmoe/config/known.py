"""Which keys a model and a data set can have, and of what type: read from RecBole's YAML files and sources."""
from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path
from typing import Any, Iterable

from ..registry import ModelSpec
from .settings import REFUSED, Settings

_READ = re.compile(r"""config\[["'](\w+)["']\]|config\.get\(\s*["'](\w+)["']|["'](\w+)["'] in (?:self\.)?config\b""")
_COMMENT = re.compile(r"^(\w+) *:.*#\s*\(([^)]*)\)", re.MULTILINE)
# Set by RecBole itself, or parts of its several-process mode, which is not offered.
_INTERNAL = {"MODEL_TYPE", "MODEL_INPUT_TYPE", "eval_type", "single_spec", "local_rank", "world_size", "nproc", "ip",
             "port", "offset", "valid_neg_sample_args", "test_neg_sample_args", "config_file"}
_PYTHON = {"int": int, "float": (int, float), "str": str, "string": str, "bool": bool, "list": list, "dict": dict}


def recbole_folder() -> Path:
    """RecBole's package folder, found without importing it."""
    spec = importlib.util.find_spec("recbole")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("recbole", name="recbole")
    return Path(spec.origin).parent


def _keys_read(paths: Iterable[Path]) -> set[str]:
    found = (match for path in paths for match in _READ.findall(path.read_text(encoding="utf-8")))
    return {name for match in found for name in match if name} - _INTERNAL


@functools.cache
def data_keys() -> frozenset[str]:
    """Keys of RecBole's argument lists and those that its data and evaluation sources read."""
    from recbole.utils import dataset_arguments, evaluation_arguments, general_arguments, training_arguments

    listed = set(dataset_arguments + evaluation_arguments + general_arguments + training_arguments)
    rooms = [recbole_folder() / room for room in ("data", "evaluator", "sampler", "utils")]
    read = _keys_read(path for room in rooms for path in room.rglob("*.py"))
    return frozenset((listed | read | set(Settings.model_fields) | set(REFUSED) | {"model", "dataset"}) - _INTERNAL)


@functools.cache
def source_keys(target: str) -> frozenset[str]:
    """Keys that the module of a model, RecBole's base classes and RecBole's trainers read."""
    base = recbole_folder()
    paths = list((base / "trainer").glob("*.py")) + list((base / "model").glob("*.py"))
    spec = importlib.util.find_spec(target.split(":")[0])
    if spec is not None and spec.origin is not None:
        paths.append(Path(spec.origin))
    return frozenset(_keys_read(paths))


@functools.cache
def all_model_keys() -> frozenset[str]:
    """Keys of every model's YAML; stands in for a model's own keys where the model's name is wrong."""
    from ..paths import properties_dir

    texts = [path.read_text(encoding="utf-8")
             for folder in (recbole_folder() / "properties", properties_dir())
             for path in sorted((folder / "model").glob("*.yaml"))]
    return frozenset(key for text in texts for key in re.findall(r"^(\w+) *:", text, re.MULTILINE))


def known_keys(spec: ModelSpec | None, model_class: Any) -> set[str]:
    """Every key that a run of this model reads.

    A class with ``Params`` has just these keys of its own; another has those that its source and RecBole's trainers
    read. Its YAML's keys are known beside these.
    """
    schema = getattr(model_class, "Params", None)
    if spec is None:
        return set(data_keys() | all_model_keys())
    return set(data_keys() | (set(schema.model_fields) if schema is not None else source_keys(spec.target)))


def yaml_keys(spec: ModelSpec) -> set[str]:
    """Keys of a model's YAML of default values."""
    found = model_yaml(spec)
    return set() if found is None else set(re.findall(r"^(\w+) *:", found[0].read_text(encoding="utf-8"), re.MULTILINE))


def model_yaml(spec: ModelSpec) -> tuple[Path, str] | None:
    """The file of a model's default values and what to call it.

    RecBole's LightGBM and XGBoost have theirs in lower case. A third party's lies beside the module as
    ``<Class>.yaml``, or in ``properties/model/`` of its package, as RecBole's sibling packages have it.
    """
    if spec.origin == "recbole":
        folder = recbole_folder() / "properties" / "model"
        found = [(folder / f"{name}.yaml", f"RecBole's model/{name}.yaml") for name in (spec.name, spec.name.lower())]
    elif spec.origin == "recbole_medmoe":
        from ..paths import properties_dir

        name = f"{spec.name}.yaml"
        found = [(properties_dir() / "model" / name, f"properties/model/{name}")]
    else:
        module = spec.target.split(":")[0]
        places = [(module, f"{spec.name}.yaml"), (module.split(".")[0], f"properties/model/{spec.name}.yaml")]
        located = [(importlib.util.find_spec(module), name) for module, name in places]
        found = [(Path(at.origin).parent / name, str(Path(at.origin).parent / name))
                 for at, name in located if at is not None and at.origin is not None]
    return next((pair for pair in found if pair[0].is_file()), None)


def comment_types(path: Path) -> dict[str, str]:
    """Key to the type that RecBole's YAML comments state, e.g. ``{'embedding_size': 'int'}``."""
    return dict(_COMMENT.findall(path.read_text(encoding="utf-8")))


def expected_type(stated: str | None, default: Any) -> str | None:
    """The type that a key of RecBole's must have, in the words of its comment, or None where nothing tells it.

    A comment that its own default contradicts is not believed; without a comment the default's type tells, and a
    whole number is taken for any number.
    """
    if stated is not None and (default is None or fits(default, stated)):
        return stated + (" or None" if default is None and "None" not in stated else "")
    if default is None:
        return None
    return {bool: "bool", int: "float", float: "float", str: "str", list: "list", dict: "dict"}.get(type(default))


def fits(value: Any, stated: str) -> bool:
    """Whether a value is of a type such as ``int``, ``list of float``, ``str or None``."""
    for part in re.split(r" or |, *", stated.strip()):
        if part in ("None", "optional"):
            if value is None:
                return True
            continue
        outer, _, inner = part.partition(" of ")
        if outer not in _PYTHON:
            return True  # words that name no type, as in RecBole's xgboost.yaml
        if _is(value, outer) and (not inner or inner not in _PYTHON or all(_is(item, inner) for item in value)):
            return True
    return False


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "bool"
    return isinstance(value, _PYTHON[kind])  # type: ignore[arg-type]
