"""Training steps of sequential models with and without torch's anomaly mode, in which RecBole runs them.

RecBole's `sine.py`, which every sequential model imports, turns the mode on for the whole process; `compat.apply`
undoes that. Each round makes both once, in an order drawn anew: loss, backward and optimiser step over the same batches
of healthfood's `set_completion`, in processor seconds. One thread unless OMP_NUM_THREADS says otherwise. No target: the
ratio is what is saved.

Usage: python benchmarks/anomaly.py [rounds]
"""
from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import torch  # noqa: E402
from recbole.utils import init_seed  # noqa: E402

from recbole_medmoe.config import MedConfig  # noqa: E402
from recbole_medmoe.data import create_dataset, data_preparation  # noqa: E402
from recbole_medmoe.trainer import build_trainer  # noqa: E402
from timing import time_in_turn  # noqa: E402

MODELS: dict[str, dict[str, Any]] = {"SASRec": {}, "GRU4Rec": {},
                                     "AMFRec": {"collaborative": "none", "modalities": ["image"]}}
STEPS = 3


def steps_of(name: str, keys: dict[str, Any]) -> Callable[[bool], Callable[[], None]]:
    """Makes, for a mode, what takes `STEPS` training steps of a new model."""
    config = MedConfig(name, "healthfood", split="set_completion",
                       overrides={"device": "cpu", "progress": False, **keys})
    init_seed(config["seed"], config["reproducibility"])
    train, _, _ = data_preparation(config, create_dataset(config))
    model = config.spec.load()(config, train._dataset)
    optimizer = build_trainer(config, model).optimizer
    batches = list(islice(train, STEPS))
    model.train()

    def in_mode(anomaly: bool) -> Callable[[], None]:
        def step() -> None:
            with torch.autograd.set_detect_anomaly(anomaly):
                for batch in batches:
                    optimizer.zero_grad()
                    loss = model.calculate_loss(batch)
                    (sum(loss) if isinstance(loss, tuple) else loss).backward()
                    optimizer.step()

        return step

    return in_mode


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    ratios = {}
    for name, keys in MODELS.items():
        made = steps_of(name, keys)
        made(False)()  # what frozen layers make of texts is kept from here on
        seconds = time_in_turn({"plain": made(False), "anomaly mode": made(True)}, rounds, time.process_time)
        middle = {mode: statistics.median(values) / STEPS for mode, values in seconds.items()}
        ratios[name] = round(middle["anomaly mode"] / middle["plain"], 2)
        print(name, {mode: f"{1000 * value:.0f} ms a step" for mode, value in middle.items()}, ratios[name], flush=True)
    print(json.dumps({"anomaly_mode_over_plain": ratios, "targets": {}, "ok": True}))
