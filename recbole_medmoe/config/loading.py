"""Reads one layer of the configuration: a YAML file, a mapping, or command-line arguments."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

import yaml

from ..errors import ConfigError


@dataclass
class Layer:
    """Values of one source.

    Args:
        origin: what a person calls the source.
        values: key to value.
        lines: key to line number, where the source has lines that a user can edit.
        given: whether the user wrote it, in contrast to defaults that ship.
    """

    origin: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    given: bool = False

    def place(self, key: str) -> str:
        """Origin of one key, e.g. ``my.yaml:12``."""
        return f"{self.origin}:{self.lines[key]}" if key in self.lines else self.origin


class _Loader(yaml.SafeLoader):
    """Plain values only. As in RecBole, ``1e-3`` is a number (YAML 1.1 wants a dot in it)."""


class _ArgumentLoader(_Loader):
    """On the command line Python's ``None`` is a habit of RecBole's users."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789"))
_ArgumentLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^None$"), ["N"])


def read_yaml(path: Path, origin: str | None = None, given: bool = False) -> Layer:
    """Reads a file of keys. Without ``origin`` the path stands for it and each key keeps its line.

    Raises:
        ConfigError: no such file, not YAML, not a mapping, or a key that is written twice; with the line.
    """
    shown = origin or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"configuration file '{path}' can not be read: {reason}"]) from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Layer(shown, given=given)
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError([f"{shown}:1: a configuration file holds lines 'key: value'"])
        values = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError([f"{shown}{line}: not valid YAML: {error.problem or error.context}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{shown}: not valid YAML: {str(error).splitlines()[0]}"]) from None
    lines: dict[str, int] = {}
    faults = []
    for key_node, _ in node.value:
        line = key_node.start_mark.line + 1
        if key_node.value in lines:
            faults.append(f"{shown}:{line}: key '{key_node.value}' was already given on line {lines[key_node.value]}")
        lines[key_node.value] = line
    faults += [f"{shown}: key {key!r} is not a name" for key in values if not isinstance(key, str)]
    if faults:
        raise ConfigError(faults)
    return Layer(shown, values, {} if origin else lines, given)


def read_mapping(values: Mapping[str, Any], origin: str) -> Layer:
    """A layer from Python; tuples become lists, as YAML would give them."""
    return Layer(origin, {key: _plain(value) for key, value in values.items()}, given=True)


def read_arguments(argv: Sequence[str]) -> Layer:
    """Reads ``--key=value`` strings; each value is one piece of YAML, e.g. ``--topk=[5,10]``.

    Raises:
        ConfigError: all arguments that are not of this form, are given twice with other values, or are not YAML.
    """
    layer = Layer("command line", given=True)
    faults = []
    for argument in argv:
        match = re.fullmatch(r"--([A-Za-z_]\w*)=(.*)", argument, re.DOTALL)
        if match is None:
            faults.append(f"argument '{argument}': keys are given as --key=value")
            continue
        key, text = match.groups()
        try:
            value = yaml.load(text, Loader=_ArgumentLoader)
        except yaml.YAMLError:
            faults.append(f"argument '{argument}': the value is not valid YAML; put special characters in quotes")
            continue
        if key in layer.values and layer.values[key] != value:
            faults.append(f"argument '{argument}': '{key}' is given twice, first as {layer.values[key]!r}")
        layer.values[key] = value
    if faults:
        raise ConfigError(faults)
    return layer


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
