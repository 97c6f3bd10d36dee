"""RecBole's models under this package and under RecBole itself: every metric of a suite's rows, to four decimals.

Our figures come from the evidence of a suite (``recbole-medmoe bench classics --out FOLDER``). RecBole's are made here
with its own configuration, data loaders, trainer, early stopping and evaluator, on the keys that the suite gives; its
checkpoint files, which are pickles, are replaced by a copy of the best weights in memory. A model that this package
has in front of RecBole's (`Pop`) is shown and not counted.

Usage: python benchmarks/parity.py [folder] [model ...]
"""
from __future__ import annotations

import copy
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import yaml  # noqa: E402
from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.utils import get_model, get_trainer, init_seed  # noqa: E402

from recbole_medmoe.registry import find_model  # noqa: E402
from recbole_medmoe.store import read_record  # noqa: E402

SUITES = ("classics", "sequences")
# Of RecBole's keys only those that say where it runs and how many scores a batch of the evaluation holds.
MACHINE = {"use_gpu": False, "device": "cpu", "eval_batch_size": 400_000, "show_progress": False, "state": "CRITICAL"}


def recboles(model: str, dataset: str, seed: int, keys: dict[str, Any]) -> dict[str, float]:
    """Test metrics of RecBole's own run."""
    config = Config(model=model, dataset=dataset, config_dict={**MACHINE, **keys, "seed": seed})
    init_seed(config["seed"], config["reproducibility"])
    train, valid, test = data_preparation(config, create_dataset(config))
    init_seed(config["seed"], config["reproducibility"])
    net = get_model(model)(config, train._dataset).to(config["device"])
    with compat.without_side_effects():
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, net)
    best: dict[str, Any] = {"score": float("-inf")}

    def keep(epoch: int, score: float) -> None:
        if score >= best["score"]:  # as RecBole's early stopping decides what to save
            best.update(score=score, other=copy.deepcopy(net.other_parameter()),
                        weights={name: value.clone() for name, value in net.state_dict().items()})

    trainer.fit(train, valid, saved=False, callback_fn=keep)
    if "weights" in best:
        net.load_state_dict(best["weights"])
        net.load_other_parameter(best["other"])  # what LightGCN and others keep between evaluations
    return dict(trainer.evaluate(test, load_best_model=False))


def compare(folder: Path, only: set[str]) -> dict[str, dict[str, list[float]]]:
    """Of each row the metrics that differ, ours and RecBole's; prints one line per row."""
    index, found = json.loads((folder / "index.json").read_text(encoding="utf-8")), {}
    for name in SUITES:
        suite = yaml.safe_load((ROOT / "properties" / "suite" / f"{name}.yaml").read_text(encoding="utf-8"))
        for cell in index[name]:
            if only and cell["row"] not in only:
                continue
            keys = {**suite.get("settings", {}), **(suite["rows"][cell["row"]] or {})}
            if name == "sequences":  # cross-entropy over all items; RecBole asks for this key
                keys["train_neg_sample_args"] = None
            for seed, run in cell["runs"].items():
                ours = read_record(folder / "records" / run)["evaluation"]["metrics"]
                theirs = recboles(cell["row"], suite["dataset"], int(seed), keys)
                differ = {metric: [round(ours[metric], 4), float(value)] for metric, value in theirs.items()
                          if round(ours[metric], 4) != value}
                print(f"{cell['row']}, seed {seed}: {len(theirs) - len(differ)} of {len(theirs)} metrics are equal;",
                      ", ".join(f"{metric} {value}" for metric, value in theirs.items()),
                      f"; ours and RecBole's: {differ}" if differ else "", flush=True)
                if find_model(cell["row"]).origin == "recbole":  # our Pop counts otherwise, and CHANGELOG.md says so
                    found[f"{cell['row']}, seed {seed}"] = differ
    return found


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.argv = sys.argv[:1]  # RecBole reads the command line
    evidence = Path(arguments[0] if arguments else ROOT / "leaderboard" / "classics").resolve()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # RecBole writes logs and checkpoints' folders into the working folder
        told = compare(evidence, set(arguments[1:]))
    print(json.dumps({"rows": len(told), "differ": {row: gaps for row, gaps in told.items() if gaps},
                      "ok": bool(told) and not any(told.values())}))
    raise SystemExit(0 if told and not any(told.values()) else 1)
