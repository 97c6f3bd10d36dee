"""eICU: unit stays, their diagnoses, treatments and medication orders become a data set of visits."""
from .build import EICU_OPTIONS, prepare_eicu

__all__ = ["EICU_OPTIONS", "prepare_eicu"]
