"""Columns of a ``.user`` or ``.item`` file as numbers, fitted on training rows only and kept as plain JSON."""
from __future__ import annotations

import math
from collections import Counter
from typing import Any, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import DataError, nearest

Record = Mapping[str, Any]


class ProfileEncoder:
    """Floats are standardised and get a flag for "missing"; tokens become one column per value, sets several at once.

    Args:
        fields: one ``{"name", "type", ...}`` per column: ``mean`` and ``scale`` for floats, ``values`` for tokens.

    Attributes:
        width: D, number of columns of `transform`.
        unseen: values of the last `transform` that training has not seen, counted per field; they give zeros.

    Example:
        >>> encoder = ProfileEncoder.fit([{"age": 60.0}, {"age": 80.0}], {"age": "float"}, ["age"])
        >>> encoder.transform([{"age": 80.0}, {"age": None}]).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, fields: Sequence[Mapping[str, Any]]) -> None:
        self.fields = [dict(field) for field in fields]
        self.width = sum(2 if field["type"] == "float" else len(field["values"]) for field in self.fields)
        self.unseen: Counter[str] = Counter()

    @classmethod
    def fit(cls, records: Sequence[Record], types: Mapping[str, str], fields: Sequence[str]) -> ProfileEncoder:
        """Learns means, spreads and values from the records of training rows.

        Raises:
            DataError: a field that the file does not have, or of a type that has no numbers.
        """
        fitted: list[dict[str, Any]] = []
        for name in fields:
            if name not in types:
                raise DataError(f"no column '{name}' for the profile{nearest(name, types)}")
            if types[name] == "float":
                numbers = [_number(row.get(name)) for row in records]
                fitted.append({"name": name, "type": "float"} | _mean_and_scale(numbers))
            elif types[name] in ("token", "token_seq"):
                values = sorted({value for row in records for value in _tokens(row.get(name))})
                fitted.append({"name": name, "type": types[name], "values": values})
            else:
                raise DataError(f"column '{name}' is {types[name]}; a profile takes float, token and token_seq")
        return cls(fitted)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ProfileEncoder:
        """Rebuilds an encoder from `state`."""
        return cls(state["fields"])

    def state(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"fields": [dict(field) for field in self.fields]}

    @property
    def names(self) -> list[str]:
        """Fields in the order of their columns."""
        return [field["name"] for field in self.fields]

    def transform(self, records: Sequence[Record], called: str = "row") -> Tensor:
        """Records [B] -> [B, D] float32; a key that is not there, None and an empty cell all mean "missing".

        Raises:
            DataError: a value of another type; the number of what is ``called`` a row, and the field, are named, never
                the value.
        """
        self.unseen = Counter()
        rows = []
        for place, record in enumerate(records, start=1):
            row: list[float] = []
            for field in self.fields:
                row += self._columns(field, record.get(field["name"]), f"{called} {place}")
            rows.append(row)
        return torch.tensor(rows, dtype=torch.float32).reshape(len(records), self.width)

    def present(self, records: Sequence[Record]) -> Tensor:
        """[B] bool: records with at least one field that is not missing."""
        return torch.tensor([any(not _is_missing(record.get(name)) for name in self.names) for record in records],
                            dtype=torch.bool)

    def _columns(self, field: Mapping[str, Any], value: Any, place: str) -> list[float]:
        try:
            if field["type"] == "float":
                number = _number(value)
                return [0.0, 1.0] if number is None else [(number - field["mean"]) / field["scale"], 0.0]
            tokens = _tokens(value)
        except (TypeError, ValueError) as fault:
            raise DataError(f"{place}: '{field['name']}' must be of type {field['type']}") from fault
        self.unseen[field["name"]] += len(tokens - set(field["values"]))
        return [float(known in tokens) for known in field["values"]]


def _is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str) and not value.strip()


def _number(value: Any) -> float | None:
    if _is_missing(value):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) and not hasattr(value, "__float__"):
        raise TypeError("not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _tokens(value: Any) -> set[str]:
    """A cell ``"a b"``, one token, or a list of tokens."""
    if _is_missing(value):
        return set()
    if isinstance(value, str):
        return set(value.split())
    if isinstance(value, Mapping) or not hasattr(value, "__iter__"):
        raise TypeError("neither a token nor a list of tokens")
    tokens = list(value)
    if not all(isinstance(token, str) for token in tokens):
        raise TypeError("a token that is no text")
    return set(tokens)


def _mean_and_scale(values: Sequence[float | None]) -> dict[str, float]:
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": 0.0, "scale": 1.0}
    mean = sum(known) / len(known)
    spread = math.sqrt(sum((value - mean) ** 2 for value in known) / len(known))
    return {"mean": mean, "scale": spread or 1.0}
