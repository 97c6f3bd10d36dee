"""Collaborative vectors: a small model that is trained first and only once."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import CollaborativeSpec
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.quick_start.collaborating import VECTORS, find_vectors, small_configs
from recbole_medmoe.quick_start.running import run, run_config

MODULE = '''
from typing import Any
from pydantic import Field
from recbole_medmoe.data import CollaborativeSpec, FeatureRequest
from recbole_medmoe.model.base import FeatureRecommender, ModelParams


class NearParams(ModelParams):
    collaborative: str = Field(default="BPR", description="small model")
    collaborative_keys: dict[str, Any] = Field(default={"epochs": 2}, description="its keys")


class Near(FeatureRecommender):
    Params = NearParams

    @classmethod
    def feature_requests(cls, params):
        spec = CollaborativeSpec.of(params.collaborative, params.collaborative_keys)
        return (FeatureRequest("collaborative", "item", "collaborative", spec),
                FeatureRequest("profile", "user", "profile"))

    def forward(self, users, items):
        return self.read("user", users)[:, :1] @ self.read("item", items).T[:1]
'''


@pytest.fixture(autouse=True)
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A third party's model that asks for collaborative vectors."""
    (tmp_path / "near_model.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "near_model", raising=False)
    return "near_model:Near"


def _config(folder: Path, **keys: Any) -> MedConfig:
    return MedConfig("near_model:Near", folder.name, split="warm", overrides={
        "data_path": str(folder.parent), "device": "cpu", "progress": False, "epochs": 1, "bootstrap_draws": 5, **keys})


def test_the_small_model_has_the_large_ones_data_and_its_own_training(tiny_food: Path) -> None:
    config = _config(tiny_food, train_share=0.5, seed=4, learning_rate=0.5, missing=[0.5])
    (spec, own), = small_configs(config).items()
    assert spec == CollaborativeSpec.of("BPR", {"epochs": 2}) and own.spec.name == "BPR"
    assert (own.split, own["train_share"], own["seed"], own["epochs"]) == ("warm", 0.5, 4, 2)
    assert own["learning_rate"] == MedConfig("BPR", "ml-100k")["learning_rate"] and own["missing"] == []


def test_on_data_that_recbole_splits_the_small_model_is_split_alike() -> None:
    config = MedConfig("near_model:Near", "ml-100k", overrides={
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}})
    own, = small_configs(config).values()
    assert own["eval_args"] == config["eval_args"]


@pytest.mark.parametrize("model", ["BPR", "LightGCN", "SASRec"])
def test_vectors_are_made_once_and_hold_the_items_that_training_has(model: str, tiny_food: Path,
                                                                    tmp_path: Path) -> None:
    config = _config(tiny_food, collaborative=model, collaborative_keys={"epochs": 1})
    made: list[str] = []

    def train(own: MedConfig, **options: Any) -> Any:
        made.append(own.spec.name)
        return run_config(own, **options)

    first, = find_vectors(config, tmp_path, train)
    again, = find_vectors(config, tmp_path, train)
    assert made == [model] and (first.bank.matrix == again.bank.matrix).all() and first.bank.present.all()
    (first.folder / VECTORS).unlink()   # a finished run without the file: built again from its weights
    rebuilt, = find_vectors(config, tmp_path, train)
    assert made == [model] and (rebuilt.bank.matrix == first.bank.matrix).all()


def test_test_rows_never_shape_the_vectors(own_food: Path, tmp_path: Path) -> None:
    before, = find_vectors(_config(own_food), tmp_path / "runs", run_config)
    path = own_food / "tinyfood.warm.test.inter"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *rows[::2]]) + "\n", encoding="utf-8")
    after, = find_vectors(_config(own_food), tmp_path / "runs", run_config)
    assert after.folder != before.folder and (after.bank.align(before.bank.tokens)[0] == before.bank.matrix).all()


def test_a_run_reads_the_vectors_and_tells_of_them(tiny_food: Path, tmp_path: Path) -> None:
    config = _config(tiny_food)
    result = run("near_model:Near", "tinyfood", split="warm", runs_dir=tmp_path, overrides={
        key: config.resolved()[key] for key in config.given - {"split"}})
    told, = result.record["model"]["collaborative"]
    assert told["name"] == "BPR" and told["items"] == 12
    table = result.model.get_buffer("table_item_collaborative")
    assert table.shape == (13, 64) and bool(table[1:].any(1).all()) and not torch.isnan(table).any()


@pytest.mark.parametrize("model, fault", [("MedMoE", "has no item vectors"), ("BPRR", "did you mean 'BPR'")])
def test_a_model_without_item_vectors_is_refused(model: str, fault: str, tiny_food: Path) -> None:
    with pytest.raises(ConfigError, match=fault):
        small_configs(_config(tiny_food, collaborative=model))
