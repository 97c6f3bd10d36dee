"""MIMIC-III and MIMIC-IV: hospital admissions, their coded diagnoses and procedures, and prescriptions."""
from .build import prepare_mimic3, prepare_mimic4

__all__ = ["prepare_mimic3", "prepare_mimic4"]
