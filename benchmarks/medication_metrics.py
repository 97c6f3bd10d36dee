"""Metrics of medication sets: whole matrices against a loop over visits; the same values to 1e-9.

Drawn scores and sets at the size asked for by the project: 10,000 visits x 200 medications, 15 of them in a visit on
average, 6 % of the pairs interact. Counted for both sides: PRAUC, Jaccard, F1, set size, interacting pairs and all
pairs of the sets and of the truth, Recall and NDCG at 5 and 10, a value per visit each. The loop is what the released
code of the field does: scikit-learn's `average_precision_score` per visit, Python sets, a loop over the pairs of a set
(SafeDrug, GAMENet, LEADER). Since most of its time is scikit-learn's, a second loop works out the average precision in
bare NumPy; its ratio is told beside and has no target. The loops run on part of the visits; times are per visit.

Not counted are the model's scores. The threshold is tuned once per run; its time is told beside.

Usage: OMP_NUM_THREADS=1 python benchmarks/medication_metrics.py [rounds]
"""
from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
from sklearn.metrics import average_precision_score  # noqa: E402

from recbole_medmoe import compat  # noqa: E402

compat.apply()

from recbole_medmoe.evaluation import rank_metrics, ratio_parts, tune_threshold  # noqa: E402
from recbole_medmoe.evaluation.set_evaluator import set_columns  # noqa: E402
from recbole_medmoe.metrics import SET_METRICS  # noqa: E402
from timing import time_in_turn  # noqa: E402

Array = np.ndarray
TARGETS = {"faster_than_loop": 90.0, "seconds": 0.5}
VISITS, MEDICATIONS, LOOPED, TOPK = 10_000, 200, 500, (5, 10)
NAMES = [name.lower() for name in SET_METRICS]


def draw() -> tuple[Array, Array, Array]:
    """Scores [N, M], truth [N, M] and interactions [M, M]."""
    generator = np.random.default_rng(0)
    truth = generator.random((VISITS, MEDICATIONS)) < 15 / MEDICATIONS
    truth[~truth.any(axis=1), 0] = True
    scores = (generator.normal(size=truth.shape) + 1.5 * truth).astype(np.float32)
    return scores, truth, np.triu(generator.random((MEDICATIONS, MEDICATIONS)) < .06, 1)


def ours(scores: Array, truth: Array, ddi: Array, threshold: float) -> dict[str, Array]:
    """Values per visit."""
    top = np.argpartition(-scores, max(TOPK), axis=1)[:, :max(TOPK)]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1), axis=1)
    ranked = rank_metrics(np.take_along_axis(truth, top, axis=1), truth.sum(axis=1), ["recall", "ndcg"], TOPK)
    return set_columns(scores, truth, threshold, ddi, NAMES) | ranked


def bare_precision(truth: Array, scores: Array) -> float:
    """Average precision of one visit whose scores all differ."""
    hits = truth[np.argsort(-scores)]
    return float((hits.cumsum() / np.arange(1, len(hits) + 1))[hits].mean())


def one_visit(scores: Array, truth: Array, ddi: Array, threshold: float, precision: Callable[[Array, Array], float],
              ) -> dict[str, float]:
    """The same values of one visit, by sets and loops."""
    given, true = set(np.flatnonzero(scores >= threshold)), set(np.flatnonzero(truth))
    found = {"prauc": precision(truth, scores), "jaccard": len(given & true) / len(given | true),
             "f1": 2 * len(given & true) / (len(given) + len(true)), "setsize": len(given), "truesetsize": len(true)}
    for name, chosen in (("ddirate", given), ("trueddirate", true)):
        above, below = ratio_parts(name)
        pairs = list(combinations(sorted(chosen), 2))
        found |= {above: sum(bool(ddi[first, second]) for first, second in pairs), below: len(pairs)}
    order = np.argsort(-scores)
    for k in TOPK:
        hits = [item in true for item in order[:k]]
        best = sum(1 / np.log2(rank + 2) for rank in range(min(k, len(true))))
        found[f"recall@{k}"] = sum(hits) / len(true)
        found[f"ndcg@{k}"] = sum(hit / np.log2(rank + 2) for rank, hit in enumerate(hits)) / best
    return found


def main(rounds: int) -> int:
    """Prints medians and one JSON line; returns 0 where both targets are met."""
    scores, truth, ddi = draw()
    threshold = tune_threshold(scores, truth)

    def loop(precision: Callable[[Array, Array], float]) -> list[dict[str, float]]:
        return [one_visit(scores[row], truth[row], ddi, threshold, precision) for row in range(LOOPED)]

    found, expected = ours(scores, truth, ddi, threshold), loop(average_precision_score)
    apart = max(float(np.abs(values[:LOOPED] - [row[name] for row in expected]).max())
                for name, values in found.items())
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(scores, truth, ddi, threshold), "loop": lambda: loop(average_precision_score),
        "loop, bare NumPy": lambda: loop(bare_precision), "threshold": lambda: tune_threshold(scores, truth)}
    medians = {name: statistics.median(times) for name, times in time_in_turn(ways, rounds).items()}
    each = {name: medians[name] / (LOOPED if name.startswith("loop") else VISITS) for name in ways}
    for name in ways:
        print(f"{name:18s} {1e6 * each[name]:9.1f} microseconds per visit")
    ratios = {"faster_than_loop": each["loop"] / each["ours"],
              "faster_than_bare_loop": each["loop, bare NumPy"] / each["ours"]}
    ok = (apart <= 1e-9 and len(found) == len(expected[0]) and medians["ours"] <= TARGETS["seconds"]
          and ratios["faster_than_loop"] >= TARGETS["faster_than_loop"])
    print(json.dumps({"benchmark": "medication_metrics", "ratios": {key: round(ratio, 1) for key, ratio in
                                                                    ratios.items()},
                      "seconds": round(medians["ours"], 3), "seconds_threshold": round(medians["threshold"], 3),
                      "targets": TARGETS, "largest_difference": apart, "visits": VISITS, "medications": MEDICATIONS,
                      "rounds": rounds, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
