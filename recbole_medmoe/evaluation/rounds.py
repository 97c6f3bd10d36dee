"""The rounds of published medication tables: scores of random parts of the test patients, mean and spread."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .ratios import means

Array = np.ndarray


def round_table(columns: Mapping[str, Array], clusters: Array, *, rounds: int, share: float, seed: int,
                ) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each metric over rounds, each on some of the patients, drawn without replacement.

    As in SafeDrug's and LEADER's released code (10 rounds of 80 %). The parts share most of their patients, so that the
    deviation is far below the uncertainty of the mean: it is for comparison with those tables only.

    Args:
        columns: metric to [N] values per row; pooled metrics by their two columns.
        clusters: [N] the patient of each row.
        rounds: at least 1.
        share: of the patients that a round takes, above 0, at most 1; at least one patient.
        seed: of the draws.

    Returns:
        Metric to mean and standard deviation (of the rounds, divided by their number).
    """
    names, code = np.unique(clusters, return_inverse=True)
    generator = np.random.default_rng(seed)
    taken = max(1, round(share * len(names)))
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        inside: Array = np.zeros(len(names), dtype=bool)
        inside[generator.permutation(len(names))[:taken]] = True
        found.append(means(columns, inside[code]))
    metrics = [name for name in found[0] if all(name in one for one in found)]
    return {name: (float(np.mean([one[name] for one in found])), float(np.std([one[name] for one in found])))
            for name in metrics}
