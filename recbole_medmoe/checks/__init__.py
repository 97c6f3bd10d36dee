"""Checks that every recommender must pass, on tiny data made in code."""
from __future__ import annotations
