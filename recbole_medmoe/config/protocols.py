"""Published protocols: ``properties/protocol/<name>.yaml``, laid over the task, the data set and the model."""
from __future__ import annotations

from ..errors import nearest
from ..paths import properties_dir
from .loading import Layer, read_yaml
from .stack import Stack


def protocol_names() -> list[str]:
    """Names that the key ``protocol`` takes."""
    return sorted(path.stem for path in (properties_dir() / "protocol").glob("*.yaml"))


def read_protocol(name: str, faults: list[str]) -> Layer:
    """The configuration keys of a protocol, its part ``run``; an empty layer, and a fault, where there is no such one.

    The file's other parts, the cohort and what is known of the data, are for its reader: `docs/protocol.md`.
    """
    if name not in protocol_names():
        faults.append(f"no protocol '{name}'{nearest(name, protocol_names())}")
        return Layer("")
    place = f"properties/protocol/{name}.yaml"
    return Layer(place, dict(read_yaml(properties_dir() / "protocol" / f"{name}.yaml", place).values["run"]))


def open_keys(protocol: Layer, stack: Stack) -> list[str]:
    """One fault for each key that the protocol's sources do not state (it has no value) and the user did not give."""
    lacking = [key for key, value in protocol.values.items() if value is None and key not in stack.given]
    return [f"{key}: the published protocol does not state it ({protocol.origin}); give --{key}=..., see "
            "docs/protocol.md" for key in lacking]
