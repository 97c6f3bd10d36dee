"""``tune``: values of a model's parameters, found on validation alone."""
from __future__ import annotations

from .searching import Budget, Outcome, Search
from .trials import SearchedElsewhere, TrialStore

__all__ = ["Budget", "Outcome", "Search", "SearchedElsewhere", "TrialStore"]
