"""Shared fixtures: the tiny data set of `recbole_medmoe.checks.tiny_food`, configurations and loaders on it."""
from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from recbole_medmoe.checks.tiny_choice import make_choices
from recbole_medmoe.checks.tiny_food import CONDITIONS, ITEMS, make_food
from recbole_medmoe.checks.tiny_visits import make_visits

__all__ = ["CONDITIONS", "ITEMS", "make_choices", "make_food", "make_visits"]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines carry orders out in the test's own process: the same code, without the start of a process each."""
    from recbole_medmoe.bench import engine, worker

    def start(place: Path, log: Any, environ: dict[str, str]) -> Any:
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            worker.carry_out(place)
        log.write(printed.getvalue().encode())
        return SimpleNamespace(poll=lambda: 0, returncode=0, stdin=None)

    monkeypatch.setattr(engine.Process, "_start", staticmethod(start))


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


@pytest.fixture(scope="session")
def _tiny_visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_visits(tmp_path_factory.mktemp("data") / "tinyvisits")


@pytest.fixture
def tiny_visits(_tiny_visits: Path) -> Path:
    """Folder of the data set ``tinyvisits``, task medication, shared by all tests: read only.

    Splits: ``patient``, ``fold0`` to ``fold4``, ``warm_visit``.
    """
    return _tiny_visits


@pytest.fixture
def visit_config(tiny_visits: Path) -> Callable[..., Any]:
    """``visit_config("VisitLR", split="warm_visit")`` -> a `MedConfig` on ``tinyvisits``."""
    from recbole_medmoe.config import MedConfig

    def make(model: str, split: str | None = None, folder: Path | None = None, **overrides: Any) -> Any:
        place = folder or tiny_visits
        return MedConfig(model, place.name, split=split, overrides={"data_path": str(place.parent), **overrides})

    return make


@pytest.fixture
def visit_data(visit_config: Callable[..., Any]) -> Callable[..., Any]:
    """As `visit_config`, but gives the configuration and the three loaders."""
    from recbole_medmoe.data import create_dataset, data_preparation

    def make(model: str, split: str | None = None, **overrides: Any) -> tuple[Any, Any, Any, Any]:
        config = visit_config(model, split, **overrides)
        return (config, *data_preparation(config, create_dataset(config)))

    return make


@pytest.fixture(scope="session")
def _tiny_choice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_choices(tmp_path_factory.mktemp("data") / "tinychoice")


@pytest.fixture
def tiny_choice(_tiny_choice: Path) -> Path:
    """Folder of the data set ``tinychoice``, task choice, shared by all tests: read only. Split: ``question``."""
    return _tiny_choice


@pytest.fixture
def choice_config(tiny_choice: Path) -> Callable[..., Any]:
    """``choice_config("OptionPosition", smoothing=2.0)`` -> a `MedConfig` on ``tinychoice``."""
    from recbole_medmoe.config import MedConfig

    def make(model: str, folder: Path | None = None, **overrides: Any) -> Any:
        place = folder or tiny_choice
        return MedConfig(model, place.name, overrides={"data_path": str(place.parent), **overrides})

    return make


@pytest.fixture
def choice_data(choice_config: Callable[..., Any]) -> Callable[..., Any]:
    """As `choice_config`, but gives the configuration and the three loaders."""
    from recbole_medmoe.data import create_dataset, data_preparation

    def make(model: str, folder: Path | None = None, **overrides: Any) -> tuple[Any, Any, Any, Any]:
        config = choice_config(model, folder, **overrides)
        return (config, *data_preparation(config, create_dataset(config)))

    return make


@pytest.fixture
def own_choices(tmp_path: Path) -> Path:
    """A copy of its own of the data set ``tinychoice``, for tests that spoil it."""
    return make_choices(tmp_path / "data" / "tinychoice")


@pytest.fixture
def own_visits(tmp_path: Path) -> Path:
    """A copy of its own of the data set ``tinyvisits``, for tests that spoil it."""
    return make_visits(tmp_path / "data" / "tinyvisits")


@pytest.fixture
def own_food(tmp_path: Path) -> Path:
    """A copy of its own of the data set ``tinyfood``, for tests that spoil it."""
    return make_food(tmp_path / "data" / "tinyfood")
