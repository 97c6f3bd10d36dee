"""The rule by which a trial is given up before its end."""
from __future__ import annotations

from statistics import median
from typing import Sequence

from .space import Stopping

Curve = Sequence[tuple[int, float]]
"""Epoch, counted from 0, and validation score, one per validation."""


def is_unpromising(curve: Curve, finished: Sequence[Curve], rule: Stopping, bigger: bool) -> bool:
    """The median stopping rule: the best score so far is strictly worse than the median, over the finished trials, of
    the average of their scores up to the same epoch; a trial that ended before it counts with all that it has.

    Source: Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section 3.2.2,
    https://doi.org/10.1145/3097983.3098043

    Args:
        curve: of the running trial so far.
        finished: of the trials that ran to their end.
        rule: epochs and trials before which nothing is stopped.
        bigger: whether a higher score is better.
    """
    epoch = curve[-1][0]
    if epoch < rule.warmup_epochs or len(finished) < rule.after_trials:
        return False
    averages = []
    for other in finished:
        scores = [score for place, score in other if place <= epoch]
        if scores:
            averages.append(sum(scores) / len(scores))
    if not averages:
        return False
    scores = [score for _, score in curve]
    return max(scores) < median(averages) if bigger else min(scores) > median(averages)
