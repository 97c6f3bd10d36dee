"""Times things in turn, so that none always follows the one that leaves the caches coldest."""
from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping


def time_in_turn(timed: Mapping[str, Callable[[], object]], rounds: int,
                 clock: Callable[[], float] = time.perf_counter) -> dict[str, list[float]]:
    """Seconds of each call: every round makes each once, in an order drawn anew; whoever calls warms up first.

    ``clock`` may be ``time.process_time``, which other work on the machine changes less.
    """
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    order, draw = list(timed), random.Random(0)
    for _ in range(rounds):
        draw.shuffle(order)
        for name in order:
            started = clock()
            timed[name]()
            seconds[name].append(clock() - started)
    return seconds
