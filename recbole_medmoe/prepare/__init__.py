"""Converters: raw sources to atomic data set folders. No torch, no RecBole."""
from .choice import prepare_choice
from .eicu import prepare_eicu
from .healthfood import prepare_healthfood
from .mimic import prepare_mimic3, prepare_mimic4
from .mmrec import prepare_mmrec
from .table import prepare_table
from .visits.converter import VisitOptions

__all__ = ["VisitOptions", "prepare_choice", "prepare_eicu", "prepare_healthfood", "prepare_mimic3", "prepare_mimic4",
           "prepare_mmrec", "prepare_table"]
