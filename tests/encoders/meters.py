"""What progress would have been shown."""
from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterator

import pytest


class Meters:
    """Stands in for `progress.meter` in one module of encoders.

    Attributes:
        told: title, total, mode and units done of each meter.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
        self.told: list[tuple[str, int, str | bool, int]] = []
        monkeypatch.setattr(f"recbole_medmoe.encoders.{module}.meter", self.meter)

    @contextmanager
    def meter(self, title: str, total: int, unit: str, mode: str | bool) -> Iterator[Callable[[int], None]]:
        done: list[int] = []
        yield done.append
        self.told.append((title, total, mode, sum(done)))
