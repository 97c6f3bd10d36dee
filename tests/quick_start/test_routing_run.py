"""What a run with routers tells of them."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.quick_start import run


def routing(adapter: str, tiny_choice: Path, place: Path) -> Any:
    """The block of the record after one epoch on seven test questions."""
    small = {"progress": False, "device": "cpu", "bootstrap_draws": 20, "min_group": 2, "epochs": 1, "tuned_layers": 1,
             "prompt_max_tokens": 200, "data_path": str(tiny_choice.parent), "cache_dir": str(place / "cache"),
             "backbone": str(make_llama(place / "llama")), "adapter": adapter, "train_share": 1.0}
    return run("MINGMoE", "tinychoice", overrides=small, runs_dir=place / "runs").record["routing"]


@pytest.fixture(scope="module")
def told(_tiny_choice: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return routing("molora", _tiny_choice, tmp_path_factory.mktemp("run"))


def test_each_routed_map_of_the_tuned_block_is_counted_over_the_same_tokens(told: Any) -> None:
    assert list(told["layers"]) == [f"model.layers.1.mlp.{name}" for name in ("gate_proj", "up_proj", "down_proj")]
    assert told["tokens"] > 7 and all(sum(layer["load"]) == pytest.approx(1) for layer in told["layers"].values())


def test_groups_of_questions_are_told_by_task(told: Any) -> None:
    assert set(told["groups"]) == {"source:abstract", "source:exam", "task:abstract", "task:exam.food"}
    assert all(set(group["layers"]) == set(told["layers"]) for group in told["groups"].values())


def test_adapters_without_routers_have_nothing_to_tell(tiny_choice: Path, tmp_path: Path) -> None:
    assert routing("lora", tiny_choice, tmp_path) is None
