"""A tiny RecBole data set and a model that is a table of scores."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recbole_medmoe import compat

compat.apply()


@pytest.fixture()
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any, Any]:
    """RecBole's configuration and its train, valid and test loaders over 15 users and 24 items."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation

    monkeypatch.setattr("sys.argv", ["pytest"])
    folder = tmp_path / "tiny"
    folder.mkdir()
    generator = np.random.default_rng(1)
    lines = [f"u{user}\ti{item}" for user in range(15)
             for item in generator.choice(24, size=6 + user % 5, replace=False)]
    (folder / "tiny.inter").write_text("user_id:token\titem_id:token\n" + "\n".join(lines) + "\n", encoding="utf-8")
    config = Config(model="BPR", dataset="tiny", config_dict={
        "data_path": str(tmp_path), "load_col": {"inter": ["user_id", "item_id"]}, "epochs": 2, "state": "ERROR",
        "use_gpu": False, "topk": [3, 5], "valid_metric": "NDCG@5", "checkpoint_dir": str(tmp_path / "saved"),
        "metrics": ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP"],
        "eval_args": {"split": {"RS": [0.5, 0.2, 0.3]}, "order": "RO", "group_by": "user", "mode": "full"}})
    return config, *data_preparation(config, create_dataset(config))


class ScoreTable:
    """Scores [U, I] looked up by user; few distinct values, so that ties abound."""

    def __init__(self, users: int, items: int) -> None:
        self.table = torch.randint(0, 6, (users, items), generator=torch.Generator().manual_seed(0)).float()

    def eval(self) -> None:
        """Takes the switch to evaluation."""

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        """A fresh copy [B * I], since masks are written into it."""
        return self.table[interaction["user_id"]].view(-1)


@pytest.fixture()
def model(parts: tuple[Any, Any, Any, Any]) -> ScoreTable:
    """Tied random scores for the tiny data set."""
    dataset = parts[3]._dataset
    return ScoreTable(dataset.user_num, dataset.item_num)
