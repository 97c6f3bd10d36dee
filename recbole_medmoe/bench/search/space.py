"""Search spaces: ``properties/search/<Model>.yaml``, one line per parameter, judged whole before anything runs."""
from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from ...config import MedConfig
from ...config.known import data_keys, yaml_keys
from ...config.loading import Layer, read_yaml
from ...errors import ConfigError, nearest
from ...paths import properties_dir
from ...registry import ModelSpec
from .distributions import KINDS, Choice, Distribution

__all__ = ["LARGEST", "Space", "Stopping", "check_space", "find_space", "read_space"]
STOPPING, LARGEST = "median_stopping", 1_000_000
# How a model is trained; all other keys of the framework say what is measured, on what and where.
_TRAINING = {"epochs", "train_batch_size", "learner", "learning_rate", "weight_decay", "stopping_step",
             "clip_grad_norm", "train_neg_sample_args", "gradient_accumulation_steps", "warmup_steps", "lr_schedule",
             "precision", "MAX_ITEM_LIST_LENGTH", "eval_step"}


class Stopping(BaseModel):
    """When a trial is given up: see `stopping.is_unpromising`.

    Args:
        warmup_epochs: epochs in which no trial is stopped.
        after_trials: finished trials before the first one can be stopped.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    warmup_epochs: NonNegativeInt = Field(default=5)
    after_trials: PositiveInt = Field(default=5)


@dataclass(frozen=True)
class Space:
    """Parameters of one model with what they are drawn from.

    Attributes:
        path: its file.
        lines: key to its line there.
        keys: key to distribution; empty for a model that has nothing to set.
        stopping: None where trials always run to their end.
    """

    path: Path
    lines: Mapping[str, int]
    keys: Mapping[str, Distribution]
    stopping: Stopping | None

    @property
    def size(self) -> int | None:
        """Number of its points; None where there is no end to them."""
        size = 1
        for distribution in self.keys.values():
            grid = distribution.grid()
            if grid is None:
                return None
            size *= len(grid)
        return size

    def point(self, number: int) -> dict[str, Any]:
        """The n-th point of a finite space, the last key changing first."""
        values = {}
        for key in reversed(list(self.keys)):
            grid = self.keys[key].grid() or []
            number, place = divmod(number, len(grid))
            values[key] = grid[place]
        return {key: values[key] for key in self.keys}

    def without(self, keys: Iterable[str]) -> Space:
        """The same space with some keys left at what is given for them."""
        left_out = set(keys)
        return replace(self, keys={key: value for key, value in self.keys.items() if key not in left_out})

    def written(self) -> dict[str, Any]:
        """As its file has it."""
        names = {kind: name for name, kind in KINDS.items()}
        told: dict[str, Any] = {key: {names[type(value)]: value.written()} for key, value in self.keys.items()}
        return {**told, STOPPING: None if self.stopping is None else self.stopping.model_dump()}

    @property
    def sha256(self) -> str:
        """Hash of what is searched, and of when trials are given up."""
        return hashlib.sha256(json.dumps(self.written(), sort_keys=True).encode()).hexdigest()


def find_space(spec: ModelSpec) -> Path:
    """File of a model's space; a third party's is ``<Class>.search.yaml`` beside the module.

    Raises:
        ConfigError: there is none; says how to give one.
    """
    path = properties_dir() / "search" / f"{spec.name}.yaml"
    if spec.origin == "third party":
        module = importlib.util.find_spec(spec.target.split(":")[0])
        if module is not None and module.origin is not None:
            path = Path(module.origin).parent / f"{spec.name}.search.yaml"
    if not path.is_file():
        shipped = sorted(known.stem for known in path.parent.glob("*.yaml")) if spec.origin != "third party" else []
        raise ConfigError([f"model '{spec.name}' has no search space ({path.name}); give one with --space FILE, a line "
                           "'learning_rate: {loguniform: [0.0001, 0.01]}' per parameter"
                           + (f"; spaces that ship: {', '.join(shipped)}" if shipped else "")])
    return path


def read_space(path: Path) -> Space:
    """Reads a space.

    Raises:
        ConfigError: every wrong distribution, with file and line.
    """
    layer = read_yaml(path, given=True)
    faults: list[str] = []
    keys, stopping = {}, None
    for key, entry in layer.values.items():
        if key == STOPPING:
            stopping = _stopping(entry, layer, faults)
            continue
        found = _distribution(key, entry, layer, faults)
        if found is not None:
            keys[key] = found
    if faults:
        raise ConfigError(faults)
    return Space(path, layer.lines, keys, stopping)


def _stopping(entry: Any, layer: Layer, faults: list[str]) -> Stopping | None:
    if entry is None:
        return None
    try:
        return Stopping.model_validate(entry)
    except ValidationError as error:
        faults += _told(error, f"{layer.place(STOPPING)}: {STOPPING}", Stopping)
    return None


def _distribution(key: str, entry: Any, layer: Layer, faults: list[str]) -> Distribution | None:
    where = f"{layer.place(key)}: {key}"
    forms = ", ".join(kind.form for kind in KINDS.values())
    if not isinstance(entry, dict) or len(entry) != 1:
        faults.append(f"{where}: {entry!r} is no distribution; write one of {forms}")
        return None
    (name, listed), = entry.items()
    kind = KINDS.get(name)
    if kind is None:
        faults.append(f"{where}: no distribution '{name}'{nearest(str(name), KINDS)}")
        return None
    fields = list(kind.model_fields)
    if not isinstance(listed, list) or (kind is not Choice and len(listed) != len(fields)):
        faults.append(f"{where}: {listed!r} does not fit; write {kind.form}")
        return None
    try:
        return kind.model_validate({"values": listed} if kind is Choice else dict(zip(fields, listed)))
    except ValidationError as error:
        faults += _told(error, f"{where}, {name}", kind)
    return None


def _told(error: ValidationError, where: str, schema: type[BaseModel]) -> list[str]:
    """One fault per wrong part."""
    faults = []
    for detail in error.errors():
        part = "".join(f" {name}" for name in detail["loc"])
        value = "" if isinstance(detail["input"], (dict, list)) else f" {detail['input']!r}"
        hint = nearest(str(detail["loc"][0]), schema.model_fields) if detail["type"] == "extra_forbidden" else ""
        what = detail["msg"].removeprefix("Value error, ")
        faults.append(f"{where}:{part}{value}: {what[:1].lower()}{what[1:]}{hint}" if part or value
                      else f"{where}: {what}")
    return faults


def check_space(space: Space, base: MedConfig, given: Mapping[str, Any], algorithm: str) -> None:
    """Judges a space's keys and values by the model's own rules: every choice and both ends of every range.

    Args:
        space: without the keys that are given.
        base: the configuration without the space.
        given: what the user wrote, which every trial has.

    Raises:
        ConfigError: all faults, with file and line.
    """
    faults = []
    own = set(type(base.params).model_fields) if base.params is not None else yaml_keys(base.spec)
    for key, distribution in space.keys.items():
        if key in data_keys() - own - _TRAINING:
            faults.append(f"{_place(space, key)}: {key} says what is measured, on what, or where; a search leaves it")
        if algorithm == "exhaustive" and distribution.grid() is None:
            faults.append(f"{_place(space, key)}: {key} has no end of values; an exhaustive search takes choice, int "
                          "and quniform")
    if algorithm == "exhaustive" and (space.size or 0) > LARGEST:
        faults.append(f"{space.path}: an exhaustive search of {space.size} points; leave parameters or values out, "
                      f"{LARGEST} are the most, or search at random")
    ends = {key: distribution.ends() for key, distribution in space.keys.items() if not any(
        fault.startswith(f"{_place(space, key)}: {key} ") for fault in faults)}
    for number in range(max(map(len, ends.values()), default=0)):
        corner = {key: values[number % len(values)] for key, values in ends.items()}
        try:
            MedConfig(_name(base), base["dataset"], split=base.split, overrides={**given, **corner})
        except ConfigError as error:
            faults += [_placed(space, fault) for fault in error.faults]
    if base["eval_step"] < 1:
        faults.append("eval_step: 0 scores no validation; a search needs 1 or more")
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))


def _name(config: MedConfig) -> str:
    return config.spec.target if config.spec.origin == "third party" else config.spec.name


def _place(space: Space, key: str) -> str:
    return f"{space.path}:{space.lines[key]}" if key in space.lines else str(space.path)


def _placed(space: Space, fault: str) -> str:
    """The line of the space in the place of ``overrides``, which the user has never seen."""
    head = re.match(r"(?:unknown key ')?(\w+)", fault)
    key = head.group(1) if head else ""
    return fault.replace("(overrides)", f"({_place(space, key)})", 1) if key in space.keys else fault
