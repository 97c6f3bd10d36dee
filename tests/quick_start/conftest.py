"""Runs on ``tinyfood``."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from recbole_medmoe.quick_start import RunResult, run


@pytest.fixture
def run_food(tiny_food: Path, tmp_path: Path) -> Callable[..., RunResult]:
    """``run_food("MedMoE", split="warm", images="photo")`` -> a run of two epochs in a folder of its own."""

    def make(model: str, split: str | None = None, **keys: Any) -> RunResult:
        small = {"epochs": 2, "bootstrap_draws": 50, "min_group": 1, "device": "cpu",
                 "data_path": str(tiny_food.parent), "cache_dir": str(tmp_path / "cache")}
        return run(model, "tinyfood", split=split, overrides={**small, **keys}, runs_dir=tmp_path / "runs")

    return make
