"""RecBole data sets and loaders over atomic folders, feature tables, and patients written by hand."""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..compat import apply

apply()

if TYPE_CHECKING:
    from .catalogue import Catalogue
    from .choice_patients import ChoicePatients
    from .choices import ChoiceDataset
    from .create import create_dataset
    from .dataset import MedDataset
    from .loaders import data_preparation
    from .patients import PatientFeatures
    from .profile import ProfileEncoder
    from .requests import CollaborativeSpec, FeatureRequest, FeatureSource, FeatureTable, TokenSpec, VisitPromptSpec, \
        WordSpec
    from .visit_patients import VisitPatients
    from .visit_tables import VisitTables
    from .visits import VisitDataset
    from .words import WordEncoder

_HOME = {
    "Catalogue": "catalogue",
    "ChoiceDataset": "choices", "ChoicePatients": "choice_patients",
    "create_dataset": "create",
    "MedDataset": "dataset",
    "data_preparation": "loaders",
    "PatientFeatures": "patients",
    "ProfileEncoder": "profile",
    "CollaborativeSpec": "requests", "FeatureRequest": "requests", "FeatureSource": "requests",
    "FeatureTable": "requests",
    "TokenSpec": "requests", "VisitPromptSpec": "requests", "WordSpec": "requests",
    "VisitDataset": "visits", "VisitPatients": "visit_patients", "VisitTables": "visit_tables",
    "WordEncoder": "words",
}
__all__ = [
    "Catalogue", "ChoiceDataset", "ChoicePatients", "CollaborativeSpec", "FeatureRequest", "FeatureSource",
    "FeatureTable", "MedDataset", "PatientFeatures", "ProfileEncoder", "TokenSpec", "VisitDataset", "VisitPatients",
    "VisitPromptSpec", "VisitTables", "WordEncoder", "WordSpec", "create_dataset", "data_preparation",
]


def __getattr__(name: str) -> Any:
    """Finds the file that holds a public name."""
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
