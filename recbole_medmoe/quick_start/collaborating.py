"""Collaborative vectors: items of a small model of RecBole's, found or trained first on the same training rows."""
from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import torch
from torch import Tensor

from ..compat import apply

apply()

from recbole.utils import training_arguments  # noqa: E402  (RecBole needs `apply` first)

from ..config import MedConfig  # noqa: E402
from ..data import CollaborativeSpec, create_dataset, data_preparation  # noqa: E402
from ..encoders import FeatureBank, content_hash  # noqa: E402
from ..errors import CheckpointError, ConfigError  # noqa: E402
from ..registry import MODELS  # noqa: E402
from ..store import file_sha256, load_model  # noqa: E402
from .finished import obtain_run  # noqa: E402
from .loading import fill_weights  # noqa: E402

log = logging.getLogger("recbole_medmoe")
VECTORS = "item_vectors.safetensors"
"""The file in the small model's run folder."""
_WEIGHTS = Path("model", "model.safetensors")
# Beside RecBole's own: how the large model is trained and tested says nothing of the small one.
_ITS_OWN = {*training_arguments, "gradient_accumulation_steps", "warmup_steps", "lr_schedule", "precision", "images",
            "missing", "orders", "search", "profile", "split", "model", "dataset"}


@dataclass(frozen=True)
class Vectors:
    """Item vectors of a small model, and the run that they come from."""

    spec: CollaborativeSpec
    bank: FeatureBank
    folder: Path

    def told(self) -> dict[str, Any]:
        """What the record of the large model says of them."""
        return {"name": self.spec.model, "run": self.folder.name, "sha256": self.bank.key["weights_sha256"],
                "items": int(self.bank.present.sum())}


def find_vectors(config: MedConfig, runs_dir: Path, train: Callable[..., Any]) -> list[Vectors]:
    """The item vectors that a model's features ask for; the small models are trained unless equal runs are finished.

    A small model sees the training rows of the large one and no others; as in every run, validation chooses its epoch.

    Args:
        config: of any model.
        runs_dir: where finished runs lie and new ones go.
        train: `run_config`.

    Raises:
        ConfigError: a model without item vectors, or faults of its configuration.
    """
    found = []
    for spec, own in small_configs(config).items():
        folder, finished = obtain_run(own, runs_dir, train, "collaborative vectors")
        path, key = folder / VECTORS, _key(own, folder)
        if not path.is_file():
            _write(path, own, finished, key)
        bank = FeatureBank.load(path)
        bank.check(key=key, contents={}, place=f"item vectors {path}")
        found.append(Vectors(spec, bank, folder))
    return found


def small_configs(config: MedConfig) -> dict[CollaborativeSpec, MedConfig]:
    """Configurations of the small models that a model's features ask for: the large one's data, split and seed, what
    the request says, and for the rest their own defaults.

    Raises:
        ConfigError: a model that is not RecBole's, or faults of its configuration.
    """
    ask = getattr(config.model_class, "feature_requests", None)
    requests = () if ask is None else ask(config.params)
    specs = dict.fromkeys(request.encoder for request in requests if isinstance(request.encoder, CollaborativeSpec))
    return {spec: _small_config(config, spec) for spec in specs}


def _small_config(config: MedConfig, spec: CollaborativeSpec) -> MedConfig:
    if spec.model in {known.name for known in MODELS}:
        raise ConfigError([f"collaborative: '{spec.model}' has no item vectors; take one of RecBole's, e.g. SASRec, "
                           "BPR or LightGCN"])
    assert config.params is not None   # whatever asks for features has Params
    large = set(type(config.params).model_fields)
    shared = {key: value for key, value in config.resolved().items() if key in config.given - large - _ITS_OWN}
    # However the two models' types differ, nothing of the large one's test may train the small one.
    shared |= {key: config.resolved()[key] for key in ("eval_args", "task", "train_share", "labels")}
    keys = {**shared, **json.loads(spec.keys), "seed": config["seed"]}
    try:
        return MedConfig(spec.model, config["dataset"], split=config.split, overrides=keys)
    except ConfigError as error:
        raise ConfigError([f"collaborative, {spec.model}: {fault}" for fault in error.faults]) from error


def _key(own: MedConfig, folder: Path) -> dict[str, Any]:
    """What fixes the vectors: the trained weights, which stand for the data, the configuration and the seed."""
    return {"format": 1, "modality": "collaborative", "model": own.spec.name,
            "weights_sha256": file_sha256(folder / _WEIGHTS)}


def _write(path: Path, own: MedConfig, finished: Any, key: dict[str, Any]) -> None:
    """Keeps the vectors beside the run; a model that was not just trained is built again."""
    if finished is not None:
        model, dataset = finished.model, finished.dataset
    else:
        train, _, _ = data_preparation(own, create_dataset(own))
        dataset = train._dataset
        model = own.spec.load()(own, dataset).to(own["device"])   # type: ignore[call-arg]
        fill_weights(model, load_model(path.parent / "model"))
    tokens, matrix = dataset.item_tokens[1:], item_vectors(model, len(dataset.item_tokens))[1:].cpu().numpy()
    present = dataset.train_items[1:].numpy()
    matrix[~present] = 0.0
    notes = {"derived_from_credentialed": dataset.is_credentialed}
    FeatureBank(tokens, matrix, present, [content_hash(token) for token in tokens], key, notes).save(path)
    log.info("collaborative vectors: %d items of %s written to %s", int(present.sum()), own.spec.name, path)


@torch.no_grad()
def item_vectors(model: Any, count: int) -> Tensor:
    """[I, D] vectors of a trained model's items: what LightGCN's graph makes of them, else their embeddings.

    Raises:
        ConfigError: the model has none.
    """
    model.eval()
    if type(model).__name__ == "LightGCN":
        found = model()[1]
    else:
        found = getattr(getattr(model, "item_embedding", None), "weight", torch.zeros(0))
    if len(found) < count:
        raise ConfigError([f"collaborative: {type(model).__name__} has no item_embedding with a row for each item; "
                           "take SASRec, BPR or LightGCN"])
    if not bool(torch.isfinite(found).all()):
        raise CheckpointError(f"collaborative: the item vectors of {type(model).__name__} are not all finite, so its "
                              "training has diverged; lower its learning_rate by collaborative_keys")
    return found[:count].detach().float()
