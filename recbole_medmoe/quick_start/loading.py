"""``load``: a trained folder as a model that scores patients; the data set need not be there for feature models."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np
import torch

from ..compat import apply

apply()

from ..config import MedConfig  # noqa: E402
from ..data import Catalogue, PatientFeatures, create_dataset, data_preparation  # noqa: E402
from ..errors import CheckpointError, ConfigError, DataError  # noqa: E402
from ..registry import find_model  # noqa: E402
from ..store import StoredModel, load_model, read_record  # noqa: E402
from .saving import unpack  # noqa: E402


class StoredConfig(dict[str, Any]):
    """A stored configuration for a model's constructor; like RecBole's, it answers None for a key that is not there."""

    def __missing__(self, key: str) -> None:
        return None


class TrainedModel:
    """A trained model and what it needs to serve patients.

    Attributes:
        model: the torch module, in evaluation mode.
        record: the run's record.
        items: I item tokens without [PAD], in the order of the columns of `score`; none for task choice, where options
            come with their question.
        threshold: for task medication, a visit's set is what scores at or above it; None for other tasks.
    """

    def __init__(self, model: Any, record: Mapping[str, Any], items: Sequence[str],
                 patients: PatientFeatures | None) -> None:
        self.model, self.record, self.items = model.eval(), record, list(items)
        self.threshold: float | None = None
        self._patients = patients

    @property
    def keys(self) -> list[str]:
        """Keys that a patient must have; empty for models that know users only by id."""
        return [] if self._patients is None else self._patients.keys

    def score(self, patients: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Scores of every item for patients written by hand.

        Args:
            patients: B mappings such as ``{"text": "...", "age": 71}``; `keys` names what must be there.

        Returns:
            [B, I] float32; higher is better. Columns follow `items`; for task choice they are the question's own
            options in order, [B, C], and what a question with fewer has not scores below all that it has.

        Raises:
            CheckpointError: the model knows users only by their ids.
            DataError: a key is missing or of a wrong type.

        Example:
            >>> trained = load("runs/healthfood/MedMoE/20260101-101500-ab12")  # doctest: +SKIP
            >>> trained.items[trained.score([patient]).argmax()]  # doctest: +SKIP
            'golden-delicious'
        """
        if self._patients is None:
            raise CheckpointError(f"{self.record['model']['name']} knows users only by their ids, so that it can not "
                                  "score a new patient; train a feature model, e.g. --model MedMoE")
        scores = self.model.score_features(self._patients.encode(patients))
        return scores[:, 1:].float().cpu().numpy()


def load(folder: str | Path, device: str = "cpu") -> TrainedModel:
    """Loads a run folder.

    Feature models need nothing but the folder and their packaged encoders. Models that know users by their ids are
    built again from their data set.

    Args:
        folder: what a run left, wherever it lies now.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        CheckpointError: truncated, altered, foreign; or a data set that an id-based model needs is gone or is another.
        RecordError: no record in the folder.
    """
    place = Path(folder)
    if not place.is_dir():
        raise CheckpointError(f"no run folder {place}")
    record = read_record(place)
    if record["model"].get("imported"):
        raise CheckpointError(f"{place}: holds imported predictions of {record['model']['name']}, and no model")
    stored = load_model(place / "model")
    if "catalogue" in stored.extra:
        trained = _feature_model(record, stored, torch.device(device))
    else:
        trained = _id_model(record, stored, device)
    if "threshold" in stored.documents:
        trained.threshold = float(stored.documents["threshold"]["threshold"])
    return trained


def _feature_model(record: Mapping[str, Any], stored: StoredModel, device: torch.device) -> TrainedModel:
    catalogue = Catalogue.read(stored.extra["catalogue"], stored.documents["catalogue"])
    config = StoredConfig(stored.meta["config"])
    # Where it was trained is not where it is; and what that run might fetch, this one does not.
    config |= {"device": device, "cache_dir": None, "keep_states": False, "allow_download": False}
    kind: Any = find_model(config["model"]).for_task(config["task"]).load()
    model = kind(config, catalogue)
    fill_weights(model, stored)
    patients = model.patients(device=device)
    return TrainedModel(model.to(device), record, catalogue.item_tokens[1:], patients)


def _id_model(record: Mapping[str, Any], stored: StoredModel, device: str) -> TrainedModel:
    known = stored.meta["config"]
    try:
        rest = {key: value for key, value in known.items() if key not in ("model", "dataset", "split")}
        config = MedConfig(known["model"], known["dataset"], split=known["split"], overrides=rest | {"device": device})
        dataset = create_dataset(config)
    except (ConfigError, DataError) as error:
        raise CheckpointError(f"{known['model']} knows users and items by their ids and is built again from its data "
                              f"set '{known['dataset']}', which fails: {error}") from error
    train, _, _ = data_preparation(config, dataset)
    if dataset.item_tokens != stored.documents["vocab"]["items"]:
        raise CheckpointError(f"data set '{known['dataset']}' is not the one that {known['model']} was trained on: its "
                              "items differ; bring that one back, or train again")
    model: Any = config.spec.load()(config, train._dataset)  # type: ignore[call-arg]
    fill_weights(model, stored)
    return TrainedModel(model.to(torch.device(device)), record, dataset.item_tokens[1:], None)


def fill_weights(model: Any, stored: StoredModel) -> None:
    """Puts the stored weights into a freshly built model."""
    try:
        model.load_state_dict(stored.tensors)
    except RuntimeError as error:   # names or shapes differ; torch lists which
        raise CheckpointError(f"the trained folder does not fit its model class, so another version wrote it; train "
                              f"again ({error})") from error
    if "other" in stored.documents:
        model.load_other_parameter(unpack(stored.extra["other"], stored.documents["other"]))
