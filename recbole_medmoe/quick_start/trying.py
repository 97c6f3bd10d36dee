"""``try_config``: one configuration trained and scored on validation alone; it leaves nothing behind."""
from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping

from ..config import MedConfig
from ..errors import TrainingError
from .assembling import assemble, naming_packages
from .collaborating import find_vectors
from .distilling import find_teaching
from .fitness import check_fitness
from .running import run_config

Curve = list[tuple[int, float]]


@dataclass
class Tried:
    """What a trial shows.

    Attributes:
        curve: epoch, counted from 0, and validation score, one per validation; of an ensemble, its first member's.
        is_stopped: whether it was given up before its end.
        score: the best validation score. valid: all metrics of that validation.
        seconds: of training and validation.
        test_scored: how often test rows were scored: 0.
    """

    curve: Curve = field(default_factory=list)
    is_stopped: bool = False
    score: float = math.nan
    valid: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 0
    best_epoch: int | None = None
    seconds: float = 0.0
    test_scored: int = 0


class _GivenUp(Exception):
    """Ends a training from inside; it never leaves this file."""


def try_config(config: MedConfig, give_up: Callable[[Curve], bool] | None = None, *,
               runs_dir: Path | None = None) -> Tried:
    """Trains as `run_config` does and never scores a test row.

    Args:
        config: its configuration.
        give_up: asked after each validation on the curve so far whether to stop.
        runs_dir: where a student's teacher is found, or trained as a run of its own.

    Raises:
        TrainingError: as `run_config`, or no validation score.
        ConfigError, DataError, FeatureBankError, MissingPackageError: each names its remedy.
    """
    check_fitness([config.spec], config.dataset_folder, config.split, config.labels)
    teaching = find_teaching(config, Path(runs_dir or config["runs_dir"]), run_config)
    vectors = find_vectors(config, Path(runs_dir or config["runs_dir"]), run_config)
    tried = Tried()

    is_first = True

    def note(epoch: int, score: float) -> None:
        nonlocal is_first
        is_first = is_first and (not tried.curve or epoch > tried.curve[-1][0])
        if is_first:
            tried.curve.append((int(epoch), float(score)))
            if give_up is not None and give_up(tried.curve):
                raise _GivenUp

    with naming_packages(config.spec.name):
        made = assemble(config, teaching, vectors)
        begun = time.perf_counter()
        trainer = made.trainer
        try:
            score, valid = trainer.fit(made.train, made.valid, show_progress=config["show_progress"], callback_fn=note)
        except _GivenUp:
            score, valid, tried.is_stopped = trainer.best_valid_score, trainer.best_valid_result, True
            if tried.curve and not valid:   # an ensemble, of which no member has ended
                scores = [known for _, known in tried.curve]
                score = max(scores) if config["valid_metric_bigger"] else min(scores)
        tried.seconds = time.perf_counter() - begun
    if not math.isfinite(score):
        raise TrainingError("no validation was scored, or its score is not finite; a search needs one per trial")
    tried.score, tried.valid = float(score), _plain(valid)
    tried.epochs, tried.best_epoch = len(trainer.history), trainer.best_epoch
    tried.test_scored = trainer.test_scored
    return tried


def _plain(valid: Any) -> dict[str, float]:
    return {name: float(value) for name, value in (valid or {}).items()}
