from __future__ import annotations

import numpy as np
import pytest

from recbole_medmoe.bench.search.space import Stopping
from recbole_medmoe.bench.search.stopping import is_unpromising

RULE = Stopping(warmup_epochs=2, after_trials=3)


@pytest.mark.parametrize("bigger", [True, False])
def test_it_is_the_median_of_running_averages(bigger: bool) -> None:
    noise = np.random.default_rng(0)
    for _ in range(200):
        curves = [[(epoch, float(score)) for epoch, score in enumerate(noise.random(noise.integers(1, 9)))]
                  for _ in range(4)]
        *finished, running = curves
        epoch = running[-1][0]
        averages = [np.mean([score for at, score in curve if at <= epoch]) for curve in finished]
        best = max if bigger else min
        mine, middle = best(score for _, score in running), np.median(averages)
        expected = epoch >= 2 and bool(mine < middle if bigger else mine > middle)
        assert is_unpromising(running, finished, RULE, bigger) == expected


def test_nothing_is_stopped_in_the_first_epochs_or_beside_too_few_finished_trials() -> None:
    good, bad = [(epoch, .9) for epoch in range(5)], [(0, .1), (1, .1)]
    assert not is_unpromising(bad, [good] * 3, RULE, True)
    assert is_unpromising([*bad, (2, .1)], [good] * 3, RULE, True)
    assert not is_unpromising([*bad, (2, .1)], [good] * 2, RULE, True)
