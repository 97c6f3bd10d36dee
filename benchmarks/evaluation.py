"""Full-sort evaluation of BPR on ml-100k's test part: ours against RecBole's default, and against scores + top-K alone.

Counted for both evaluators: the whole call from loader to metrics, with RecBole's default metrics at 10: reading
batches, scoring, masking each user's history, top-K, hits, metrics; ours gives the values per row as well. Counted for
"scores + top-K": `full_sort_predict` and `torch.topk` over the same users in the same blocks, and nothing else: no
loader, no mask, no metric. "with mask" adds the writing of -inf at the history's positions, without which no list can
be right; the target is set against it, and the ratio against the bare two is given too. Each round runs every way
once, in an order drawn anew, so that none always follows the one that leaves the caches coldest; ratios are of medians.

Ours reads a loader's history and positives once and keeps them, as validation asks for them every epoch; "first call"
includes that reading.

Usage: python benchmarks/evaluation.py [rounds]
"""
from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import torch  # noqa: E402
from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.model.general_recommender import BPR  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402
from recbole.utils import init_seed  # noqa: E402

from recbole_medmoe.config import MedConfig  # noqa: E402
from recbole_medmoe.evaluation import loading  # noqa: E402
from recbole_medmoe.trainer import build_trainer  # noqa: E402
from timing import time_in_turn  # noqa: E402

TARGETS = {"faster_than_recbole": 9.0, "cost_over_scores_mask_and_topk": 1.2}


def prepare(config: Any) -> tuple[Any, Any]:
    """Test loader and an initialised model; its scores cost what trained ones cost."""
    init_seed(config["seed"], True)
    train, _, test = data_preparation(config, create_dataset(config))
    return test, BPR(config, train._dataset).to(config["device"])


def ways(folder: str) -> dict[str, Callable[[], Any]]:
    """The things that are timed."""
    sys.argv = sys.argv[:1]
    default = Config(model="BPR", dataset="ml-100k", config_dict={"state": "ERROR", "use_gpu": False})
    default["checkpoint_dir"] = folder
    their_test, their_model = prepare(default)
    with compat.without_side_effects():
        theirs = Trainer(default, their_model)
    ours_config = MedConfig("BPR", "ml-100k", overrides={"device": "cpu"})
    test, model = prepare(ours_config)
    ours = build_trainer(ours_config, model)

    history = [batch.history.numpy() for batch in loading.full_sort_batches(test, test._dataset.item_num, None, False)]

    @torch.no_grad()
    def scores_and_topk(mask: bool) -> None:
        for block, first in enumerate(range(0, len(test.uid_list), test.step)):
            scores = model.full_sort_predict(test.user_df[slice(first, first + test.step)])
            if mask:
                scores.numpy()[history[block]] = float("-inf")
            scores.view(-1, test._dataset.item_num).topk(max(ours_config["topk"]), dim=-1)

    def first_call() -> Any:
        loading._plans.clear()
        return ours.evaluate(test)

    return {"recbole": lambda: theirs.evaluate(their_test, load_best_model=False), "ours": lambda: ours.evaluate(test),
            "ours, first call": first_call, "scores + top-K": lambda: scores_and_topk(False),
            "... with mask": lambda: scores_and_topk(True)}


def main(rounds: int) -> int:
    """Prints medians and one JSON line; returns 0 where both targets are met."""
    with tempfile.TemporaryDirectory() as folder:
        timed = ways(folder)
    same = dict(timed["recbole"]()) == timed["ours"]()
    for call in timed.values():
        call()
    seconds = time_in_turn(timed, rounds)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(f"{name:18s} {median * 1000:9.1f} ms   (fastest {min(seconds[name]) * 1000:.1f})")
    ratios = {"faster_than_recbole": medians["recbole"] / medians["ours"],
              "cost_over_scores_mask_and_topk": medians["ours"] / medians["... with mask"],
              "cost_over_scores_and_topk": medians["ours"] / medians["scores + top-K"],
              "faster_than_recbole_first_call": medians["recbole"] / medians["ours, first call"]}
    ok = (same and ratios["faster_than_recbole"] >= TARGETS["faster_than_recbole"]
          and ratios["cost_over_scores_mask_and_topk"] <= TARGETS["cost_over_scores_mask_and_topk"])
    print(json.dumps({"benchmark": "evaluation", "ratios": {key: round(value, 3) for key, value in ratios.items()},
                      "targets": TARGETS, "same_metrics": same, "rounds": rounds, "threads": torch.get_num_threads(),
                      "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
