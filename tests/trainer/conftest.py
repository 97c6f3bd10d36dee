"""A tiny RecBole data set, and a way to build configuration, loaders, model and trainer on it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbole_medmoe import compat

compat.apply()


@dataclass
class Built:
    """All that a training needs."""

    config: Any
    train: Any
    valid: Any
    test: Any
    model: Any
    trainer: Any


Build = Callable[..., Built]


@pytest.fixture()
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """``build("BPR", epochs=3)``: with our trainer, or RecBole's where ``stock=True``; works in an empty folder."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    from recbole_medmoe.trainer import build_trainer

    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("sys.argv", ["pytest"])
    folder = tmp_path / "tiny"
    folder.mkdir()
    generator = np.random.default_rng(1)
    lines = [f"u{user}\ti{item}" for user in range(30)
             for item in generator.choice(40, size=8 + user % 5, replace=False)]
    (folder / "tiny.inter").write_text("user_id:token\titem_id:token\n" + "\n".join(lines) + "\n", encoding="utf-8")

    def make(name: str | type, dataset: str = "tiny", stock: bool = False, **changes: Any) -> Built:
        place = {"data_path": str(tmp_path), "load_col": {"inter": ["user_id", "item_id"]}} if dataset == "tiny" else {}
        config = Config(model=name, dataset=dataset, config_dict={
            **place, "epochs": 3, "state": "ERROR", "use_gpu": False, "train_batch_size": 64,
            "checkpoint_dir": str(tmp_path / "saved"), "metrics": ["Recall", "NDCG"], "topk": [3, 5],
            "valid_metric": "NDCG@5", **changes})
        init_seed(config["seed"], True)
        train, valid, test = data_preparation(config, create_dataset(config))
        init_seed(config["seed"], True)
        model_class = get_model(name) if isinstance(name, str) else name
        model = model_class(config, train._dataset).to(config["device"])
        trainer_class = get_trainer(config["MODEL_TYPE"], config["model"])
        trainer = trainer_class(config, model) if stock else build_trainer(config, model)
        return Built(config, train, valid, test, model, trainer)

    return make
