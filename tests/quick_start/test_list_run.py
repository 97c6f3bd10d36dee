"""A run of a model that reads lists of items with a language model."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pandas as pd

from recbole_medmoe.atomic import PARTS, read_atomic
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.quick_start.running import run_config
from recbole_medmoe.store import read_record


def test_the_record_counts_test_lists_that_lost_their_oldest_items(food_config: Callable[..., Any], tiny_food: Path,
                                                                   tmp_path: Path) -> None:
    rows = {part: read_atomic(tiny_food / f"tinyfood.warm.{part}.inter")["user_id"] for part in PARTS}
    given = pd.concat([rows["train"], rows["valid"]]).value_counts()
    several = int((given.reindex(rows["test"].unique(), fill_value=0) > 1).sum())
    keys = {"backbone": str(make_llama(tmp_path / "llama")), "soft_layer": 1, "title_max_tokens": 4, "epochs": 1,
            "epoch_rows": 8, "orders": 2, "device": "cpu", "progress": False, "bootstrap_draws": 5, "width": 4,
            "modalities": []}
    lost = []
    for room in (10, 2):  # the template's words have 57 bytes, the user's text has one token, an item has one
        folder = run_config(food_config("AMFRec", split="warm", **keys, prompt_max_tokens=57 + room),
                            runs_dir=tmp_path / "runs").folder
        record = read_record(folder)
        lost.append(record["data"]["statistics"]["cut"].get("history"))
    assert lost == [None, several] and several > 20
