"""Converters: raw sources to atomic data set folders. No torch, no RecBole."""
from .healthfood import prepare_healthfood

__all__ = ["prepare_healthfood"]
