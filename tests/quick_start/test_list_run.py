"""A run of a model that reads lists of items with a language model."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pandas as pd
import pytest

from recbole_medmoe.atomic import PARTS, read_atomic
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.quick_start.running import run_config
from recbole_medmoe.store import read_record

WORDS = 57  # bytes of the template, and [answer]


@pytest.fixture
def record(food_config: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The record of a short run."""
    llama = make_llama(tmp_path / "llama")

    def make(**keys: Any) -> dict[str, Any]:
        config = food_config("AMFRec", split="warm", **{
            "backbone": str(llama), "soft_layer": 1, "title_max_tokens": 4, "epochs": 1, "epoch_rows": 8, "orders": 2,
            "device": "cpu", "progress": False, "bootstrap_draws": 5, "width": 4, "min_group": 2, **keys})
        return read_record(run_config(config, runs_dir=tmp_path / "runs").folder)

    return make


def test_the_record_counts_test_lists_that_lost_their_oldest_items(record: Callable[..., dict[str, Any]],
                                                                   tiny_food: Path) -> None:
    rows = {part: read_atomic(tiny_food / f"tinyfood.warm.{part}.inter")["user_id"] for part in PARTS}
    given = pd.concat([rows["train"], rows["valid"]]).value_counts()
    several = int((given.reindex(rows["test"].unique(), fill_value=0) > 1).sum())
    # Beside the user's one token there is room for one item, which is told by one.
    found = record(modalities=[], prompt_max_tokens=WORDS + 2)
    assert found["data"]["statistics"]["cut"]["history"] == several > 20


def test_the_record_tells_the_weights_of_the_modalities_by_group(record: Callable[..., dict[str, Any]]) -> None:
    found = record(modalities=["image", "text"])
    routing = found["routing"]
    assert "history" not in found["data"]["statistics"]["cut"]
    assert len(routing["modalities_mean"]) == 2 and sum(routing["modalities_mean"]) == pytest.approx(1, abs=1e-3)
    weights = routing["groups"]["warm_patient"]["modalities"]
    assert len(weights) == 2 and sum(weights) == pytest.approx(1, abs=1e-3)
