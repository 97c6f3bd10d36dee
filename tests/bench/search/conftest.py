"""Searches on tiny data."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from recbole_medmoe.bench.search import Search


@pytest.fixture
def space_file(tmp_path: Path) -> Callable[..., Path]:
    """``space_file("dropout: {uniform: [0, 1]}")`` -> a file of such lines."""

    def write(*lines: str) -> Path:
        path = tmp_path / "space.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def make_search(tiny_food: Path, tmp_path: Path, space_file: Callable[..., Path]) -> Callable[..., Search]:
    """``make_search("name", lines=[...])`` -> a search of ``MoEOnly`` kept in the folder of that name."""

    def make(name: str = "search", lines: tuple[str, ...] = ("learning_rate: {loguniform: [0.0001, 0.1]}",
                                                             "experts: {int: [2, 8]}"), **changes: Any) -> Search:
        given = {"model": "MoEOnly", "dataset": "tinyfood", "split": "cold_patient", "seed": 3,
                 "overrides": {"data_path": str(tiny_food.parent), **changes.pop("overrides", {})}, **changes}
        return Search.prepare(space=space_file(*lines), folder=lambda base: tmp_path / name, **given)

    return make
