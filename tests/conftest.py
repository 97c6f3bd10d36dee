"""Shared fixtures: the tiny data set of `recbole_medmoe.checks.tiny_food`, configurations and loaders on it."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from recbole_medmoe.checks.tiny_food import CONDITIONS, ITEMS, make_food

__all__ = ["CONDITIONS", "ITEMS", "make_food"]


@pytest.fixture(scope="session")
def _tiny_food(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_food(tmp_path_factory.mktemp("data") / "tinyfood")


@pytest.fixture
def tiny_food(_tiny_food: Path) -> Path:
    """Folder of the data set ``tinyfood``, shared by all tests: read only; its parent is the ``data_path``.

    It ships banks under the keys of the packaged encoders, so that every model runs on it with its default values and
    no encoder. Splits: ``cold_patient``, ``warm``, ``cold_item0``.
    """
    return _tiny_food


@pytest.fixture
def food_config(tiny_food: Path) -> Callable[..., Any]:
    """``food_config("MedMoE", split="warm", width=8)`` -> a `MedConfig` on ``tinyfood``."""
    from recbole_medmoe.config import MedConfig

    def make(model: str, split: str | None = None, **overrides: Any) -> Any:
        return MedConfig(model, "tinyfood", split=split, overrides={"data_path": str(tiny_food.parent), **overrides})

    return make


@pytest.fixture
def food_data(food_config: Callable[..., Any]) -> Callable[..., Any]:
    """As `food_config`, but gives the configuration and the three loaders."""
    from recbole_medmoe.data import create_dataset, data_preparation

    def make(model: str, split: str | None = None, **overrides: Any) -> tuple[Any, Any, Any, Any]:
        config = food_config(model, split, **overrides)
        return (config, *data_preparation(config, create_dataset(config)))

    return make


@pytest.fixture
def own_food(tmp_path: Path) -> Path:
    """A copy of its own of the data set ``tinyfood``, for tests that spoil it."""
    return make_food(tmp_path / "data" / "tinyfood")
