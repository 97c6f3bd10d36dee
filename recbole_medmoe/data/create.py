"""create_dataset: the data set class of a run, by model and task."""
from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

from recbole.data.dataset import Dataset
from recbole.utils import ModelType

from ..registry import KNOWN_USERS, SEQUENCES
from .choices import ChoiceDataset, ChoiceMixin
from .dataset import MedDataset, MedMixin
from .item_sequences import ItemSequenceMixin
from .known_patients import KnownPatientMixin
from .visit_sequences import SequenceVisitMixin
from .visits import VisitDataset, VisitMixin

_BY_TYPE = {
    ModelType.SEQUENTIAL: "SequentialDataset",
    ModelType.KNOWLEDGE: "KnowledgeBasedDataset",
    ModelType.DECISIONTREE: "DecisionTreeDataset",
}
_PLAIN: dict[type, type] = {MedMixin: MedDataset, VisitMixin: VisitDataset, ChoiceMixin: ChoiceDataset}


def create_dataset(config: Any) -> Any:
    """The data set class that RecBole would pick for the model, with `MedMixin` in front, or for a sequential model on
    pre-split files `ItemSequenceMixin`; for task choice `ChoiceMixin`; for task medication `VisitMixin`, or
    `KnownPatientMixin` where the model knows users by their ids alone, or `SequenceVisitMixin` where it reads
    sequences. Nothing is cached in pickles.

    Raises:
        DataError: the folder is missing or breaks a rule of the atomic files.
    """
    module = importlib.import_module("recbole.data.dataset")
    own = f"{config['model']}Dataset"
    base = getattr(module, own if hasattr(module, own) else _BY_TYPE.get(config["MODEL_TYPE"], "Dataset"))
    if config["task"] == "choice":
        return _with_mixin(ChoiceMixin, base)(config)
    if config["task"] != "medication":
        if config["split"] and config["MODEL_TYPE"] == ModelType.SEQUENTIAL:
            return _with_mixin(ItemSequenceMixin, Dataset)(config)
        return _with_mixin(MedMixin, base)(config)
    spec = getattr(config, "spec", None)  # RecBole's own configuration has none
    needs = () if spec is None else spec.needs
    if SEQUENCES in needs:
        return _with_mixin(SequenceVisitMixin, Dataset)(config)
    return _with_mixin(KnownPatientMixin if KNOWN_USERS in needs else VisitMixin, base)(config)


@lru_cache(maxsize=None)
def _with_mixin(mixin: type, base: type) -> type:
    if base is Dataset and mixin in _PLAIN:
        return _PLAIN[mixin]
    return type(f"Med{base.__name__}", (mixin, base), {})
