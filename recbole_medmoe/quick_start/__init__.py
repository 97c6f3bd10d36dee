"""The Python face: ``run`` one model, ``compare`` several, ``load`` a trained folder."""
from __future__ import annotations

from .comparing import Compared, compare, compare_runs, configurations
from .loading import TrainedModel, load
from .running import RunResult, run

__all__ = ["Compared", "RunResult", "TrainedModel", "compare", "compare_runs", "configurations", "load", "run"]
