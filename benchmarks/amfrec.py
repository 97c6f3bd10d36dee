"""AMFRec's training step against LoRA tuning of the same language model, and its scoring of small and large catalogues.

Four sides on healthfood's split `set_completion`, all with the packaged LLM (SmolLM2-135M): AMFRec with its default
values (soft tokens enter below the top 4 of 30 blocks, a title is told by one token); the same with LoRA on these four
blocks; AMFRec over the whole LLM (soft tokens among the embeddings, whole titles); and LoRA tuning of the whole LLM,
all else being equal. Collaborative vectors are random: they cost the same.

Counted for a step: loss, backward and optimiser step over the same rows (64, the default batch). What is read once
(titles, users' texts, the template's beginning) is there already, as it is from the second epoch on. All sides are
timed in one process, in turn; processor seconds are taken, which other work on the machine changes less than the
clock, and the best round of each.

Memory is told by a process for each side: resident memory before the first step, and at its peak (sampled).

Counted for scoring: `full_sort_predict` for 32 users, default values, a catalogue of so many items (healthfood's,
repeated); and how many prompts the LLM read for each user.

Usage: python benchmarks/amfrec.py [rounds] [rows]
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import torch  # noqa: E402
from recbole.utils import init_seed  # noqa: E402

from recbole_medmoe.checks.variants import supply_vectors  # noqa: E402
from recbole_medmoe.config import MedConfig  # noqa: E402
from recbole_medmoe.data import create_dataset, data_preparation  # noqa: E402
from recbole_medmoe.store import PeakMemory  # noqa: E402
from recbole_medmoe.trainer import build_trainer  # noqa: E402
from timing import time_in_turn  # noqa: E402

WHOLE: dict[str, Any] = {"soft_layer": 0, "title_tokens": "all"}
SIDES: dict[str, dict[str, Any]] = {
    "AMFRec": {}, "LoRA above the cut": {"tuning": "lora"},
    "AMFRec, whole LLM": WHOLE, "LoRA, whole LLM": {**WHOLE, "tuning": "lora"}}
RATIOS = {"LoRA, whole LLM": "AMFRec", "LoRA above the cut": "AMFRec", "AMFRec, whole LLM": "AMFRec"}
CATALOGUES, USERS = (80, 1_000, 10_000), 32


def build(keys: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """An untrained model with its trainer, training loader and test loader."""
    config = MedConfig("AMFRec", "healthfood", split="set_completion",
                       overrides={"device": "cpu", "progress": False, **keys})
    init_seed(config["seed"], config["reproducibility"])
    train, _, test = data_preparation(config, create_dataset(config))
    kind: Any = config.spec.load()
    supply_vectors(train._dataset, kind.feature_requests(config.params))
    model = kind(config, train._dataset)
    return model, build_trainer(config, model), train, test


def stepping(keys: dict[str, Any], rows: int) -> tuple[Callable[[], None], Any]:
    """What makes one training step over so many rows, all titles being read; and the model."""
    model, trainer, train, _ = build({**keys, "train_batch_size": rows})
    batch = next(iter(train))
    model.train().prompts.texts(model.item_inputs()["title"], range(1, model.n_items))

    def step() -> None:
        trainer.optimizer.zero_grad()
        sum(model.calculate_loss(batch)).backward()
        trainer.optimizer.step()

    return step, model


def memory(side: str, rows: int) -> dict[str, float]:
    """MiB of this process before its first step and at its peak."""
    import psutil

    step, _ = stepping(SIDES[side], rows)
    rest = psutil.Process().memory_info().rss / 2**20
    with PeakMemory("cpu", interval=0.005) as peak:
        step()
    return {"rest": round(rest), "peak": round(peak.mib)}


def compare_steps(rounds: int, rows: int) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Prints seconds of a step and memory of every side, and returns them."""
    made = {name: stepping(keys, rows) for name, keys in SIDES.items()}
    for step, _ in made.values():
        step()
    spent = {name: min(times) for name, times in time_in_turn(
        {name: step for name, (step, _) in made.items()}, rounds, time.process_time).items()}
    trained = {name: sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
               for name, (_, model) in made.items()}
    del made
    told = {}
    for name in SIDES:
        # glibc keeps what is freed, unless it is told to map it.
        done = subprocess.run([sys.executable, __file__, "--memory", name, str(rows)], check=True, capture_output=True,
                              text=True, env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"})
        told[name] = json.loads(done.stdout.splitlines()[-1])
        print(f"{name:20s} {spent[name]:8.2f} s for a step of {rows} rows, {trained[name]:10,d} trained numbers, "
              f"{told[name]['rest']:7.0f} MiB before it, {told[name]['peak']:7.0f} at its peak", flush=True)
    return spent, told


def grow(model: Any, items: int) -> None:
    """Gives a model a catalogue of so many items: its own, repeated."""
    places = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.arange(items) % (model.n_items - 1)])
    for request in model.requests:
        if request.side == "item":
            for table in (f"table_{request.key}", f"present_{request.key}"):
                setattr(model, table, model.get_buffer(table)[places])
    model.n_items = items + 1


@torch.no_grad()
def score_catalogues(rounds: int) -> dict[int, tuple[float, float]]:
    """By items: milliseconds for one user of 32, and prompts that the LLM read for each."""
    timed: dict[str, Callable[[], object]] = {}
    models = {}
    for items in CATALOGUES:
        models[items], _, _, test = build({})
        models[items].eval()
        grow(models[items], items)
        users = next(iter(test))[0][:USERS]
        timed[str(items)] = lambda model=models[items], users=users: model.full_sort_predict(users)  # type: ignore
        timed[str(items)]()
    before = {items: model.prompts.llm.prompts for items, model in models.items()}
    spent = time_in_turn(timed, rounds, time.process_time)
    found = {}
    for items, model in models.items():
        read = (model.prompts.llm.prompts - before[items]) / (rounds * len(users))
        found[items] = 1000 * min(spent[str(items)]) / len(users), read
        print(f"{items:7,d} items {found[items][0]:8.2f} ms for a user, {read:g} prompts read", flush=True)
    return found


def main(rounds: int, rows: int) -> int:
    """Prints both comparisons and one JSON line; returns 0 where the LLM read one prompt for each user."""
    scoring = score_catalogues(rounds)
    spent, told = compare_steps(rounds, rows)
    ratios: dict[str, dict[str, float]] = {
        f"{name} / {base}": {"seconds": round(spent[name] / spent[base], 2),
                             "peak": round(told[name]["peak"] / told[base]["peak"], 2),
                             "step's own memory": round((told[name]["peak"] - told[name]["rest"])
                                                        / max(told[base]["peak"] - told[base]["rest"], 1), 2)}
        for name, base in (*RATIOS.items(), ("LoRA, whole LLM", "AMFRec, whole LLM"))}
    ratios["10,000 items / 80 items"] = {"seconds": round(scoring[10_000][0] / scoring[80][0], 2)}
    ok = all(read == 1 for _, read in scoring.values())
    print(json.dumps({"benchmark": "amfrec", "ratios": ratios, "targets": {"prompts for a user": 1}, "rounds": rounds,
                      "rows": rows, "threads": torch.get_num_threads(), "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(json.dumps(memory(sys.argv[2], int(sys.argv[3]))))
        sys.exit(0)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, int(sys.argv[2]) if len(sys.argv) > 2 else 64))
