"""What a parameter is drawn from: one small class per form of a line in ``properties/search/<Model>.yaml``."""
from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["KINDS", "Distribution"]
_EDGE = 0.4999   # an index is drawn from -.4999 to n - .5001 and rounded, so that both ends are as likely as the rest


class Distribution(BaseModel):
    """One parameter's values, as the configuration takes them and as hyperopt draws them (``raw``).

    Attributes:
        form: how it is written.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    form: ClassVar[str] = ""

    def expression(self, key: str, hyperopt: Any) -> Any:
        """hyperopt's expression; ``key`` is its label."""
        count = len(self.grid() or ())
        return hyperopt.hp.quniform(key, -_EDGE, count - 1 + _EDGE, 1)

    def value(self, raw: float) -> Any:
        """What the configuration takes for a number of hyperopt's."""
        return (self.grid() or [])[round(raw)]

    def raw(self, value: Any) -> float | None:
        """The number of hyperopt's that gives this value; None where none does."""
        return next((float(place) for place, known in enumerate(self.grid() or []) if _same(known, value)), None)

    def grid(self) -> list[Any] | None:
        """All values in their order; None where there is no end to them."""
        return None

    def ends(self) -> list[Any]:
        """Values that stand for all when they are checked."""
        grid = self.grid() or []
        return [grid[0], grid[-1]]

    def written(self) -> list[Any]:
        """As the file has it."""
        return list(self.model_dump().values())


class Choice(Distribution):
    """One of some values that have no order."""

    form: ClassVar[str] = "{choice: [value, value, ...]}"
    values: list[Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_value_twice(self) -> Choice:
        twice = [value for place, value in enumerate(self.values) if any(_same(value, o) for o in self.values[:place])]
        if twice:
            raise ValueError(f"{twice[0]!r} stands there twice")
        return self

    def expression(self, key: str, hyperopt: Any) -> Any:
        """An index without an order."""
        return hyperopt.hp.choice(key, list(range(len(self.values))))

    def grid(self) -> list[Any]:
        """The values."""
        return list(self.values)

    def ends(self) -> list[Any]:
        """All of them."""
        return list(self.values)

    def written(self) -> list[Any]:
        """The values."""
        return list(self.values)


class Uniform(Distribution):
    """Any number from low to high."""

    form: ClassVar[str] = "{uniform: [low, high]}"
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _low_is_below(self) -> Uniform:
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self

    def expression(self, key: str, hyperopt: Any) -> Any:
        """Evenly over the range."""
        return hyperopt.hp.uniform(key, self.low, self.high)

    def value(self, raw: float) -> float:
        """Four digits: more only makes files hard to read."""
        return min(max(float(f"{raw:.4g}"), self.low), self.high)

    def raw(self, value: Any) -> float | None:
        """The number itself, where it lies inside."""
        inside = isinstance(value, (int, float)) and not isinstance(value, bool) and self.low <= value <= self.high
        return float(value) if inside else None

    def ends(self) -> list[Any]:
        """Both ends."""
        return [self.low, self.high]


class LogUniform(Uniform):
    """Any number from low to high, each power of ten as likely as the next; low and high are written as they are, not
    as their logarithms."""

    form: ClassVar[str] = "{loguniform: [low, high]}"
    low: float = Field(gt=0, allow_inf_nan=False)

    def expression(self, key: str, hyperopt: Any) -> Any:
        """Evenly over the logarithm."""
        return hyperopt.hp.loguniform(key, math.log(self.low), math.log(self.high))


class Steps(Uniform):
    """low, low + step, ... up to high."""

    form: ClassVar[str] = "{quniform: [low, high, step]}"
    step: float = Field(gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _steps_fit(self) -> Steps:
        count = (self.high - self.low) / self.step
        if count < 1 - 1e-9 or abs(count - round(count)) > 1e-6:
            raise ValueError(f"high {self.high:g} is not reached from low {self.low:g} in steps of {self.step:g}")
        return self

    expression = Distribution.expression
    value = Distribution.value
    raw = Distribution.raw
    ends = Distribution.ends

    def grid(self) -> list[Any]:
        """Every step, without the dust of floating point."""
        count = round((self.high - self.low) / self.step)
        return [round(self.low + place * self.step, 10) for place in range(count + 1)]


class Whole(Distribution):
    """Any whole number from low to high, both included."""

    form: ClassVar[str] = "{int: [low, high]}"
    low: int
    high: int

    @model_validator(mode="after")
    def _low_is_below(self) -> Whole:
        if not self.low < self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        return self

    def grid(self) -> list[Any]:
        """Every number."""
        return list(range(self.low, self.high + 1))


KINDS: dict[str, type[Distribution]] = {"choice": Choice, "uniform": Uniform, "loguniform": LogUniform,
                                        "quniform": Steps, "int": Whole}


def _same(one: Any, other: Any) -> bool:
    """Equal, and 1, 1.0 and true kept apart only where a configuration does: numbers are numbers."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)
