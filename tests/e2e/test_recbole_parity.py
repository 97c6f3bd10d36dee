"""A run through the command line against RecBole's own configuration, loaders, trainer and evaluator."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recbole_medmoe.cli import main
from recbole_medmoe.compat import apply, without_side_effects
from recbole_medmoe.store import read_record


def _recbole(epochs: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What RecBole's quick start does, without the parts of it that need ray."""
    apply()
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import BPR
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    monkeypatch.setattr(sys, "argv", ["test"])
    config = Config(model=BPR, dataset="ml-100k", config_dict={
        "epochs": epochs, "embedding_size": 64, "use_gpu": False, "checkpoint_dir": str(folder), "show_progress": False,
        "device": "cpu", "eval_batch_size": 400_000})
    init_seed(config["seed"], config["reproducibility"])
    train, valid, test = data_preparation(config, create_dataset(config))
    init_seed(config["seed"], config["reproducibility"])
    model = BPR(config, train._dataset)
    with without_side_effects():
        trainer = Trainer(config, model)
    trainer.fit(train, valid, saved=False)
    return dict(trainer.evaluate(test, load_best_model=False))


@pytest.mark.e2e
def test_bpr_on_ml_100k_gives_recboles_metrics_to_4_decimals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five epochs, each better than the one before, so that the best weights are the last."""
    monkeypatch.chdir(tmp_path)
    assert main(["--model", "BPR", "--dataset", "ml-100k", "--epochs=5", "--device=cpu", "--bootstrap_draws=10"]) == 0
    record = read_record(next((tmp_path / "runs" / "ml-100k" / "BPR").iterdir()))
    assert record["training"]["best_epoch"] == 4
    ours = {name: round(value, 4) for name, value in record["evaluation"]["metrics"].items()}
    assert ours == _recbole(5, tmp_path, monkeypatch)
