"""Finds the model and lays all layers of a configuration over each other."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from ..errors import ConfigError
from ..paths import properties_dir
from ..registry import ModelSpec, find_model
from .known import comment_types, known_keys, model_yaml, recbole_folder
from .loading import Layer, read_arguments, read_mapping, read_yaml
from .places import Place
from .protocols import open_keys, read_protocol
from .stack import Stack


def find_class(name: str, faults: list[str]) -> tuple[ModelSpec | None, Any]:
    """The model's line of the table and its class, or its faults and (None, None)."""
    try:
        spec = find_model(name)
        model_class: Any = spec.load()
    except ConfigError as error:
        faults += error.faults
        return None, None
    if not hasattr(model_class, "type"):
        faults.append(f"model '{spec.target}' is no RecBole model: derive it from GeneralRecommender or a sibling")
        return None, None
    return spec, model_class


def given_layers(files: Sequence[Path], overrides: Mapping[str, Any] | None, argv: Sequence[str], split: str | None,
                 faults: list[str]) -> list[Layer]:
    """What the user wrote, lowest first; ``model`` and ``dataset`` in a file are only a note of what it was for."""
    layers = [_given_file(faults, Path(path)) for path in files]
    layers.append(read_mapping(overrides or {}, "overrides"))
    try:
        layers.append(read_arguments(argv))
    except ConfigError as error:
        faults += error.faults
    if split is not None:
        layers.append(Layer("command line", {"split": split}, given=True))
    for layer in layers:
        for key in ("model", "dataset"):
            layer.values.pop(key, None)
    return layers


def given_values(names: Sequence[str]) -> dict[str, Any]:
    """Keys of files and packaged variants, of later ones over earlier ones.

    Args:
        names: as `MedConfig` takes its files.

    Raises:
        ConfigError: all faults of all files.
    """
    faults: list[str] = []
    layers = given_layers([Path(name) for name in names], None, (), None, faults)
    if faults:
        raise ConfigError(faults)
    return {key: value for layer in layers for key, value in layer.values.items()}


def _given_file(faults: list[str], path: Path) -> Layer:
    """A user's file, or a packaged variant of a model's values by its name, e.g. ``LEADERStudent.released``."""
    packaged = properties_dir() / "model" / f"{path}.yaml"
    if path.exists() or not packaged.is_file():
        return reading(faults, path, None)
    layer = reading(faults, packaged, None)
    layer.origin = f"properties/model/{packaged.name}"
    return layer


def reading(faults: list[str], path: Path | None, origin: str | None) -> Layer:
    """Reads a file, or notes its faults and stands in an empty layer so that the search for more goes on."""
    if path is None:
        return Layer("")
    try:
        return read_yaml(path, origin, given=origin is None)
    except ConfigError as error:
        faults += error.faults
        return Layer(str(path))


def latest(layers: Sequence[Layer], key: str, default: Any) -> Any:
    """Value of a key in the highest layer that has it."""
    return next((layer.values[key] for layer in reversed(layers) if key in layer.values), default)


def lay(spec: ModelSpec | None, recbole: Sequence[Layer], place: Place, given: Sequence[Layer],
        faults: list[str]) -> Stack:
    """Lays RecBole's layers, ours, the task's, the data set's, the model's and the user's over each other.

    The task is named by the data set or the user, not by the model, so that all models of a table share a protocol.
    """
    stack = Stack()
    for layer in recbole:
        stack.lay(layer)
        stack.types.update(comment_types(recbole_folder() / "properties" / layer.origin.split(" ")[1]))
        stack.defaults.update(layer.values)
    stack.lay(read_yaml(properties_dir() / "overall.yaml", "properties/overall.yaml"))
    data_layer = reading(faults, place.yaml, place.yaml_origin)
    task = latest([data_layer, *given], "task", "any")
    if isinstance(task, str) and (properties_dir() / "task" / f"{task}.yaml").is_file():
        stack.lay(read_yaml(properties_dir() / "task" / f"{task}.yaml", f"properties/task/{task}.yaml"))
    stack.lay(data_layer)
    defaults = model_yaml(spec) if spec is not None else None
    if defaults is not None:
        layer = read_yaml(*defaults)
        stack.lay(layer)
        stack.types.update(comment_types(defaults[0]))
        stack.defaults.update(layer.values)
    protocol = latest([data_layer, *given], "protocol", None)
    published = read_protocol(protocol, faults) if isinstance(protocol, str) else Layer("")
    stack.lay(Layer(published.origin, {key: value for key, value in published.values.items() if value is not None}))
    for layer in given:
        stack.lay(layer)
    if published.values and stack.values.get("task") != "medication":
        faults.append(f"{stack.shown('protocol')}: it is for task medication")
    faults += open_keys(published, stack)
    return stack


def hand_to_teacher(stack: Stack, beside: Sequence[str], spec: ModelSpec | None, model_class: Any) -> None:
    """Puts the user's keys that only a student's teacher has into its ``teacher_keys``, under those given there; where
    the teacher stands in the same comparison, also those that both have, so that the student learns from that row."""
    name, schema = stack.values.get("teacher"), getattr(model_class, "Params", None)
    if spec is None or schema is None or "teacher_keys" not in schema.model_fields or not isinstance(name, str):
        return
    teacher, teacher_class = find_class(name, [])  # a folder or a file is no model; a wrong name is told later
    if teacher is None:
        return
    own, theirs = known_keys(spec, model_class), set(teacher_class.Params.model_fields)
    keys = sorted(key for key in stack.given & theirs if key not in own or name in beside)
    if not keys:
        return
    given = {key: stack.values[key] for key in keys}
    stack.derive("teacher_keys", {**given, **(stack.values.get("teacher_keys") or {})}, f"keys given for {name}")
    for key in keys:
        if key not in own:
            stack.drop(key)
