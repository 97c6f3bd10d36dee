"""Layers laid over each other: the value, the origin and the type of every key."""
from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from .loading import Layer


@dataclass
class Stack:
    """Values of all layers, the later ones over the earlier.

    Args:
        values: key to value.
        origins: key to where the value was written.
        types: key to the type that a YAML comment of RecBole states, e.g. ``int``.
        defaults: key to RecBole's own default, which tells the type where no comment does.
        given: keys that the user wrote.
        height: key to the number of the layer that its value lies in.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    height: dict[str, int] = field(default_factory=dict)
    _layers: int = 0

    def lay(self, layer: Layer) -> None:
        """Puts a layer on top."""
        self._layers += 1
        for key, value in copy.deepcopy(layer.values).items():
            self.values[key] = value
            self.origins[key] = layer.place(key)
            self.height[key] = self._layers
            if layer.given:
                self.given.add(key)

    def derive(self, key: str, value: Any, reason: str) -> None:
        """Sets a value that follows from others."""
        self.values[key] = value
        self.origins[key] = f"derived: {reason}"

    def drop(self, key: str) -> None:
        """Takes a key out."""
        del self.values[key], self.origins[key]
        self.given.discard(key)

    def shown(self, key: str) -> str:
        """``key = value (origin)``, the head of every fault about a value."""
        return f"{key} = {self.values[key]!r} ({self.origins[key]})"
