"""Training steps of MedMoE and its halves on healthfood: our loop against the bare steps, and where the time goes.

Counted for "our loop": one epoch as `fit` runs it, from the loader to the last optimiser step, validation left out.
Counted for "bare steps": loss, backward and optimiser step of the same model over the same batches, made beforehand: no
loader, no check of the loss, no sums. "plain torch" is the bare steps again with the two things undone that this
package does on a CPU: dropout is `nn.Dropout`, and AdamW steps tensor by tensor. Each round runs the three once, in an
order drawn anew; ratios are of medians. One thread unless OMP_NUM_THREADS says otherwise, so that runs compare.

After the timing each model's epoch is profiled once: the operations in which it spends the most time.

Usage: python benchmarks/training.py [rounds]
"""
from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import torch  # noqa: E402
from recbole.utils import init_seed  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from recbole_medmoe.config import MedConfig  # noqa: E402
from recbole_medmoe.data import create_dataset, data_preparation  # noqa: E402
from recbole_medmoe.layers import Dropout  # noqa: E402
from recbole_medmoe.trainer import build_trainer  # noqa: E402
from timing import time_in_turn  # noqa: E402

MODELS = ("MedMoE", "MoEOnly", "LLMOnly")
TARGETS = {"loop_over_bare_steps": 1.3}
OPERATIONS = 8


class TorchsDropout(Dropout):
    """The same dropout by torch's own kernel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x of any shape -> the same shape."""
        return self.gain * torch.nn.functional.dropout(x, self.p, self.training)


def prepare(name: str) -> tuple[Any, Any]:
    """A trainer with a new model, and its training loader."""
    config = MedConfig(name, "healthfood", split="cold_patient", overrides={"device": "cpu", "progress": False})
    init_seed(config["seed"], config["reproducibility"])
    train, _, _ = data_preparation(config, create_dataset(config))
    return build_trainer(config, config.spec.load()(config, train._dataset)), train


def set_plain(trainer: Any, plain: bool) -> None:
    """Torch's own dropout and steps, or ours."""
    for module in trainer.model.modules():
        if isinstance(module, Dropout):
            module.__class__ = TorchsDropout if plain else Dropout
    for group in trainer.optimizer.param_groups:
        group["fused"] = not plain


def ways(trainer: Any, train: Any) -> dict[str, Callable[[], None]]:
    """The things that are timed, one epoch each."""
    batches = list(train)

    def bare() -> None:
        trainer.model.train()
        for batch in batches:
            trainer.optimizer.zero_grad()
            losses = trainer.model.calculate_loss(batch)
            (sum(losses) if isinstance(losses, tuple) else losses).backward()
            trainer.optimizer.step()

    def plain() -> None:
        set_plain(trainer, True)
        bare()
        set_plain(trainer, False)

    return {"our loop": lambda: trainer._train_epoch(train, 0), "bare steps": bare, "plain torch": plain}


def print_costs(epoch: Callable[[], None], steps: int) -> None:
    """Operations by the time spent in themselves, milliseconds per step."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        epoch()
    events = sorted(seen.key_averages(), key=lambda event: -event.self_cpu_time_total)
    whole = sum(event.self_cpu_time_total for event in events)
    for event in events[:OPERATIONS]:
        print(f"    {event.key[:44]:44s} {event.self_cpu_time_total / steps / 1000:7.2f} ms "
              f"{event.self_cpu_time_total / whole:6.1%}")


def main(rounds: int) -> int:
    """Prints a table per model and one JSON line; returns 0 where the target is met for all."""
    ratios: dict[str, dict[str, float]] = {}
    for name in MODELS:
        trainer, train = prepare(name)
        timed, rows = ways(trainer, train), len(train._dataset.inter_feat)
        for call in timed.values():
            call()
        medians = {way: statistics.median(times) for way, times in time_in_turn(timed, rounds).items()}
        print(f"{name}: {len(train)} steps, {rows} training pairs of {train.sample_size} patients an epoch")
        for way, median in medians.items():
            print(f"  {way:12s} {median / len(train) * 1000:8.2f} ms per step {rows / median:10.0f} pairs per second "
                  f"{train.sample_size / median:8.0f} patients per second")
        print_costs(timed["our loop"], len(train))
        ratios[name] = {"loop_over_bare_steps": round(medians["our loop"] / medians["bare steps"], 3),
                        "plain_torch_over_bare_steps": round(medians["plain torch"] / medians["bare steps"], 3)}
    ok = all(found["loop_over_bare_steps"] <= TARGETS["loop_over_bare_steps"] for found in ratios.values())
    print(json.dumps({"benchmark": "training", "ratios": ratios, "targets": TARGETS, "rounds": rounds,
                      "threads": torch.get_num_threads(), "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
