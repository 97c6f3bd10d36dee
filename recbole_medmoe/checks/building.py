"""Does a model build from its YAML alone, and does it read every key of it?"""
from __future__ import annotations

import types
from collections import Counter
from typing import Any, Literal, Mapping, Union, get_args, get_origin

from pydantic import BaseModel

from ..config import MedConfig
from ..config.known import model_yaml, source_keys, yaml_keys
from ..errors import ConfigError
from .case import Case
from .report import CheckFailed


_RECBOLE_BASE = "recbole.model.abstract_recommender:AbstractRecommender"   # may ask for what no model of a user's has


class RecordingConfig(MedConfig):
    """A configuration that counts how often each key is read once it is made."""

    reads: Counter[str] | None = None

    def __getitem__(self, key: str) -> Any:
        if self.reads is not None:
            self.reads[key] += 1
        return super().__getitem__(key)


def builds_from_yaml(case: Case) -> str:
    """The YAML's keys are those of ``Params``, and each is read while the model is built, trained for two epochs and
    scored; a key that its default value leaves unread must be read under another value of a Literal, bool or nullable
    parameter, or under another task that the model serves."""
    if model_yaml(case.spec) is None:
        raise CheckFailed(f"no file of default values: {case.spec.name}.yaml is missing")
    stated = yaml_keys(case.spec)
    params = getattr(case.kind, "Params", None)
    if params is not None:
        _want_same_keys(stated, set(params.model_fields))
    read, unknown = _keys_read(case, {})
    if unknown:
        raise CheckFailed(f"reads {len(unknown)} keys that have no value anywhere: {', '.join(sorted(unknown))}")
    rest = stated - read
    under: dict[str, str] = {}
    for task in (None, *dict(case.spec.by_task)) if case.spec.by_task and rest else ():   # another may read it
        other = Case(case.name, case.folder / f"task_{task}", fresh=case.fresh, task=task)
        if other.kind is not case.kind:
            found = rest & _keys_read(other, {})[0]
            under |= {name: f"{name} with task {other.config()['task']}" for name in found}
            rest -= found
    for key, value in _alternatives(case.plain.config.params):
        if not rest:
            break
        try:
            found = rest & _keys_read(case, {key: value})[0]
        except ConfigError:
            continue   # values that the model itself refuses together
        under |= {name: f"{name} under {key}: {value}" for name in found}
        rest -= found
    if rest:
        raise CheckFailed(f"{len(rest)} of {len(stated)} keys are never read: {', '.join(sorted(rest))}")
    return f"{len(stated)} keys, all read" + (f" ({', '.join(sorted(under.values()))})" if under else "")


def _want_same_keys(stated: set[str], fields: set[str]) -> None:
    missing, extra = sorted(fields - stated), sorted(stated - fields)
    faults = [f"{len(names)} keys only in {where}: {', '.join(names)}"
              for names, where in ((missing, "Params"), (extra, "the YAML")) if names]
    if faults:
        raise CheckFailed("; ".join(faults))


def _keys_read(case: Case, keys: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Keys read in the whole run, and those that building the model asks for although no layer has them."""
    config = case.config(make=RecordingConfig, **keys)
    reads = config.reads = Counter()
    fields: set[str] = set()
    asked: set[str] = set()
    space: dict[str, Any] = {"__module__": case.kind.__module__}
    if getattr(case.kind, "Params", None) is not None:
        space["Params"] = recording_params(case.kind.Params, fields, reads)

    def building(self: Any, config: Any, dataset: Any) -> None:
        before = Counter(reads)
        case.kind.__init__(self, config, dataset)
        asked.update(reads - before)

    built = case.build_from(config, type(case.kind.__name__, (case.kind,), {**space, "__init__": building}))
    case.fit(built)
    case.scores(built.model, case.users[:2])
    return ({key for key, count in reads.items() if count > 0} | fields,
            asked - set(config.final_config_dict) - source_keys(_RECBOLE_BASE))


def recording_params(kind: type[BaseModel], seen: set[str], reads: Counter[str]) -> type[BaseModel]:
    """A subclass of a model's ``Params`` that notes which fields are looked at once it is made.

    Handing every value to ``model_validate`` is no reading, nor is what validators look at; hence those reads of the
    configuration are taken back.
    """
    muted: list[bool] = []

    def noting(self: BaseModel, name: str) -> Any:
        if not muted and name in kind.model_fields:
            seen.add(name)
        return super(made, self).__getattribute__(name)   # type: ignore[misc]

    def validate(cls: type[BaseModel], values: Mapping[str, Any], **rest: Any) -> BaseModel:
        reads.subtract(list(kind.model_fields))
        muted.append(True)
        try:
            return super(made, cls).model_validate(values, **rest)   # type: ignore[misc]
        finally:
            muted.pop()

    made: type[BaseModel] = types.new_class(kind.__name__, (kind,), {}, lambda space: space.update(
        {"__getattribute__": noting, "model_validate": classmethod(validate), "__module__": kind.__module__}))
    return made


def _alternatives(params: BaseModel | None) -> list[tuple[str, Any]]:
    """Other values of the parameters whose type names them."""
    found: list[tuple[str, Any]] = []
    if params is None:
        return found
    for name, field in type(params).model_fields.items():
        value, kinds = getattr(params, name), [field.annotation]
        if get_origin(field.annotation) in (Union, types.UnionType):
            kinds = list(get_args(field.annotation))
        for kind in kinds:
            if get_origin(kind) is Literal:
                found += [(name, other) for other in get_args(kind) if other != value]
            elif kind is bool:
                found.append((name, not value))
            elif kind is type(None) and value is not None:
                found.append((name, None))
    return found
