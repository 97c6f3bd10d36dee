"""What LEADERTeacher takes with a backbone of LLaMA-7B's shape: memory, tokens per second, share of the device's rate.

No weights are needed: a backbone with random ones is written into a temporary folder (13.5 GB in bfloat16), block by
block, and read back the way any folder is (`--backbone=FOLDER`), so that what is timed is what users run. Its prompts
are those of eicu-demo, one token per letter. It trains some hundred batches with the values of LEADERTeacher.7b.yaml
and scores the validation visits. Whatever it learns means nothing, and no target is set.

"Share" is of the rate of a large matrix product, measured in the same process; operations count what runs, the second
forward pass of checkpointing included. With ``--peak`` also of the device's data sheet. The record holds what was
estimated beforehand beside what was measured.

Usage: python benchmarks/teacher_7b.py [--shape 7b|tiny] [--device cuda:0] [--batches 400] [--out teacher_7b.json]
                                       [--folder DIR] [--peak TFLOPS] [--key=value ...]
"""
from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import torch  # noqa: E402
from recbole.data.interaction import Interaction  # noqa: E402
from recbole.utils import init_seed  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from recbole_medmoe.checks.tiny_llama import save_byte_tokenizer  # noqa: E402
from recbole_medmoe.config import MedConfig  # noqa: E402
from recbole_medmoe.data import create_dataset, data_preparation  # noqa: E402
from recbole_medmoe.encoders.estimate import (Shape, epoch_operations, kept_bytes, product_rate,  # noqa: E402
                                              trained_bytes, weight_bytes)
from recbole_medmoe.encoders.loading import quiet_transformers  # noqa: E402
from recbole_medmoe.encoders.lora import LoraSpec  # noqa: E402
from recbole_medmoe.model.backbone import plan_of  # noqa: E402
from recbole_medmoe.store import PeakMemory, code_version, environment  # noqa: E402
from recbole_medmoe.trainer import build_trainer  # noqa: E402

SHAPES: dict[str, dict[str, int]] = {
    "7b": {},   # transformers' own defaults are LLaMA-7B's
    "tiny": {"vocab_size": 256, "hidden_size": 32, "intermediate_size": 88, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 4}}
WHAT = ("Memory and speed of LEADERTeacher with a randomly initialised backbone of {shape} shape, on prompts of "
        "eicu-demo with one token per letter. It says nothing about quality.")
WARM_UP = 3


def write_backbone(shape: str, folder: Path) -> Path:
    """Writes a Llama with random weights in bfloat16, never holding more than one block of them.

    Raises:
        SystemExit: the disk is too small.
    """
    with quiet_transformers():
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(**SHAPES[shape], architectures=["LlamaForCausalLM"], dtype="bfloat16")
        with torch.device("meta"):
            wanted = LlamaForCausalLM(config).state_dict()
    size = 2 * sum(weight.numel() for weight in wanted.values())
    if shutil.disk_usage(folder).free < 1.1 * size:
        raise SystemExit(f"{folder}: the weights take {size / 1e9:.1f} GB and the disk has no room; name another "
                         "--folder")
    torch.manual_seed(0)
    parts = [list(names) for _, names in itertools.groupby(wanted, lambda name: name.split(".")[:3])]
    places = {}
    for number, names in enumerate(parts, start=1):
        file = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        save_file({name: random_weight(wanted[name].shape) for name in names}, folder / file, {"format": "pt"})
        places |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    config.save_pretrained(folder)
    save_byte_tokenizer(folder)
    return folder


def random_weight(shape: torch.Size) -> torch.Tensor:
    """Ones for a norm, else as a Llama is initialised."""
    weight = torch.ones(shape, dtype=torch.bfloat16)
    return weight if weight.dim() == 1 else weight.normal_(0.0, 0.02)


def measure(config: Any, batches: int, peak: float | None) -> dict[str, Any]:
    """Trains and scores, and tells what it took."""
    device = torch.device(config["device"])
    init_seed(config["seed"], config["reproducibility"])
    train, valid, _ = data_preparation(config, create_dataset(config))
    begun = time.perf_counter()
    with PeakMemory(str(device)) as memory:
        model = config.spec.load()(config, train._dataset).to(device)
        loading = time.perf_counter() - begun
        trainer = build_trainer(config, model)
        model.tune(True)
        chosen = list(itertools.islice(itertools.chain.from_iterable(itertools.repeat(train)), batches + WARM_UP))
        visits = [torch.unique(batch["visit_id"]) for batch in chosen]
        trainer._train_epoch(chosen[:WARM_UP], 0)
        begun = time.perf_counter()
        trainer._train_epoch(chosen[WARM_UP:], 1)
        training = time.perf_counter() - begun
        tested = torch.unique(valid._dataset.inter_feat["visit_id"])
        model.eval()
        begun = time.perf_counter()
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=config["precision"] == "bf16"):
            scores = model.full_sort_predict(Interaction({"visit_id": tested}).to(device)).cpu()
        scoring = time.perf_counter() - begun
    lengths = (model.user_inputs(torch.arange(train._dataset.num("visit_id"), device=device))["prompt"][0] >= 0).sum(1)
    p = model.params
    shape, lora = Shape.read(Path(p.backbone)), LoraSpec(p.lora_rank, p.lora_alpha, p.lora_dropout, p.lora_targets)
    plan = plan_of(shape, p, config, lora, model.n_items)
    product = product_rate(device, plan.upper)

    def told(ids: list[torch.Tensor], seconds: float, passes: float) -> dict[str, Any]:
        own = lengths[torch.cat(ids).to(device)]
        tokens = int(own.sum())
        rate = passes * sum(epoch_operations(shape, plan, tokens, tokens / len(own))) / seconds
        return {"visits": len(own), "tokens": tokens, "seconds": seconds, "tokens_per_second": tokens / seconds,
                "tflops_per_second": rate / 1e12, "share_of_product": rate / product,
                "share_of_data_sheet": rate / (peak * 1e12) if peak else None}

    largest = max(visits[WARM_UP:], key=lambda ids: int(lengths[ids.to(device)].sum()))
    step, longest = int(lengths[largest.to(device)].sum()), int(lengths[largest.to(device)].max())
    guessed = weight_bytes(shape, plan) + trained_bytes(shape, plan) + kept_bytes(shape, plan, step, longest)
    losses = [epoch["loss"] / count for epoch, count in zip(trainer.history, (WARM_UP, batches))]
    return {"parameters": shape.parameters,
            "trained": sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
            "loading_seconds": loading, "product_tflops": product / 1e12, "data_sheet_tflops": peak,
            "memory_mib": {"peak": memory.mib, "estimated": guessed / 2 ** 20, "largest_batch_tokens": step},
            "training": {"batches": batches, **told(visits[WARM_UP:], training, 1.0),
                         "loss_warm_up": losses[0], "loss": losses[1]},
            "scoring": {**told([tested], scoring, 1 / (3 if plan.checkpointing else 2)),
                        "finite": bool(scores.view(len(tested), -1)[:, 1:].isfinite().all())}}


def main(argv: Sequence[str]) -> int:
    """Writes the record and prints it as one JSON line; returns 0 where loss and scores stay finite."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="7b")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("teacher_7b.json"))
    parser.add_argument("--folder", type=Path, help="where the weights lie meanwhile; default: the temporary folder")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the device's data sheet, dense bfloat16")
    given, keys = parser.parse_known_args(argv)
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="teacher_7b-", dir=given.folder) as folder:
        config = MedConfig("LEADERTeacher", "eicu-demo", split="patient", files=[Path("LEADERTeacher.7b")], argv=keys,
                           overrides={"backbone": str(write_backbone(given.shape, Path(folder))),
                                      "device": given.device, "progress": False})
        found = measure(config, given.batches, given.peak)
    values = {**config.resolved(), "backbone": f"random weights, {given.shape}"}
    record = {"what": WHAT.format(shape="LLaMA-7B's" if given.shape == "7b" else f"a {given.shape}"),
              "program": "benchmarks/teacher_7b.py", "started": started, "code": code_version(),
              "environment": environment(given.device), "config": values, **found}
    given.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    short = {name: found[name] for name in ("memory_mib", "training", "scoring")}
    print(json.dumps({"benchmark": "teacher_7b", "shape": given.shape, "device": given.device, **short}))
    return 0 if found["scoring"]["finite"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
