"""An engine without processes, and what its trials give back."""
from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

from recbole_medmoe.bench.engine import Failure, Order, Outcome

Function = Callable[[Mapping[str, Any]], dict[str, Any]]


class Here:
    """Calls a function in this process; what it raises as ``RuntimeError`` is a failed order."""

    def __init__(self, function: Function, slots: int = 1, backwards: bool = False) -> None:
        self.function, self.slots, self.backwards = function, slots, backwards
        self.asked: list[dict[str, Any]] = []

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, orders: Iterator[Order]) -> Iterator[Outcome]:
        for order in reversed(list(orders)) if self.backwards else orders:
            self.asked.append(dict(order.values))
            try:
                result: dict[str, Any] | None = self.function(order.values)
                failure = None
            except RuntimeError as error:
                result, failure = None, Failure(order.name, str(error), None)
            yield Outcome(order, result, failure, 2.0)


def scored(score: float, curve: list[tuple[int, float]] | None = None, status: str = "finished") -> dict[str, Any]:
    """What a trial gives back."""
    return {"status": status, "score": score, "valid": {"map@5": score}, "curve": curve or [(0, score)],
            "epochs": len(curve or [0]), "best_epoch": 0, "seconds": 3.0}


def parabola(values: Mapping[str, Any]) -> dict[str, Any]:
    """Best at learning rate .01 and four experts."""
    asked = values["overrides"]
    return scored(1 - abs(asked["learning_rate"] - .01) - abs(asked["experts"] - 4) / 10)
