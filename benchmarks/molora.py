"""MoLoRA against peft's LoRA of equal rank, and against the way that computes and stacks every expert's output.

Layers: the maps of an FFN block of width 576/1536 and 1024/2816, alone; "block" is two maps up and one down. A
training step is forward and backward with a gradient of the input, as inside a model. Whole model: the packaged LLM
(SmolLM2-135M) with LoRA on all seven maps, against LoRA on attention with MoLoRA on the FFN; a training step also has
AdamW's. All have rank 8; MoLoRA chooses 2 experts. "Stack-all" is MoLoRA whose experts are run one by one, stacked
[E, T, D] and then chosen from, as the released code of MING-MOE trains; its output is compared with ours.

Memory is what a forward pass keeps for its backward pass, weights left out. On a CPU processor seconds are taken, which
other work on the machine changes less than the clock; on a GPU weights are bfloat16 under autocast, and the clock is
taken. Each round runs every side once, in an order drawn anew; ratios are of medians.

Usage: python benchmarks/molora.py [rounds] [device]
"""
from __future__ import annotations

import copy
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from recbole_medmoe.encoders import MoLoraConfig, resolve_backbone  # noqa: E402
from recbole_medmoe.encoders.gguf import converted_folder  # noqa: E402
from recbole_medmoe.encoders.loading import load_backbone  # noqa: E402
from recbole_medmoe.layers import MoLoRA  # noqa: E402

from peft import LoraConfig, get_peft_model  # noqa: E402

TARGETS = {"model_train_E8": 1.10, "block_576_train_E4": 1.15, "block_1024_train_E4": 1.15}  # over LoRA, at most
FASTER = {"block_576_stack_all_E8": 2.0, "block_1024_stack_all_E8": 2.0, "model_stack_all_E8": 2.0}  # at least
RANK, CHOSEN, TOKENS, BATCH = 8, 2, 512, (2, 128)
ATTENTION, FFN = ["q_proj", "k_proj", "v_proj", "o_proj"], ["gate_proj", "up_proj", "down_proj"]
Step = Callable[[], Tensor]


class StackAll(MoLoRA):
    """The same weights, computed as the released code does in training."""

    def forward(self, x: Tensor, base: Tensor) -> Tensor:
        if self.router_weight is None:
            return super().forward(x, base)
        x = x.to(self.A.dtype)
        experts = zip(self.A.split(RANK), self.B.split(RANK, dim=1))
        made = torch.stack([F.linear(F.linear(x, down), up) * self.scale for down, up in experts])  # [E, ..., D_out]
        weights, chosen = F.linear(x, self.router_weight, self.router_bias).topk(CHOSEN, dim=-1)  # [..., k]
        taken = made.gather(0, chosen.movedim(-1, 0).unsqueeze(-1).expand(-1, *made.shape[1:]))  # [k, ..., D_out]
        return (base + (taken * weights.softmax(-1).movedim(-1, 0).unsqueeze(-1)).sum(0)).to(base.dtype)


def adapt(model: nn.Module, attention: list[str], ffn: list[str], experts: int | None, stack: bool = False) -> Any:
    """A copy of a model that shares its frozen weights, with LoRA (no experts) or MoLoRA on the FFN; B is not zero."""
    copied = copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
    config: Any = (LoraConfig(r=RANK, lora_alpha=16, target_modules=attention + ffn) if experts is None else
                   MoLoraConfig(r=RANK, num_experts=experts, top_k=CHOSEN, target_modules=attention + ffn,
                                expert_modules=ffn))
    torch.manual_seed(0)
    adapted = get_peft_model(copied, config).train()
    for name, weight in adapted.named_parameters():
        if "lora_B" in name or name.endswith(".B"):
            nn.init.normal_(weight, std=0.01)
    for module in adapted.modules():
        if stack and isinstance(module, MoLoRA):
            module.__class__ = StackAll
    return adapted


def kept(step: Step, model: nn.Module) -> float:
    """MiB that a forward pass keeps for its backward pass."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        held = step()  # its graph holds the tensors, so that no address is used twice
    total = sum(seen.values()) / 2**20
    del held
    return total


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of one run."""
    if device.type == "cpu":
        started = time.process_time()
        run()
        return time.process_time() - started
    torch.cuda.synchronize(device)
    started = time.perf_counter()
    run()
    torch.cuda.synchronize(device)
    return time.perf_counter() - started


def medians(timed: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each, after one round that does not count."""
    told: dict[str, list[float]] = {name: [] for name in timed}
    order, draw = list(timed), random.Random(0)
    for number in range(rounds + 1):
        draw.shuffle(order)
        for name in order:
            spent = seconds(timed[name], device)
            told[name] += [spent] if number else []
    return {name: statistics.median(times) for name, times in told.items()}


def sides(model: nn.Module, attention: list[str], ffn: list[str]) -> dict[str, Any]:
    """LoRA, MoLoRA of 4 and 8 experts, stack-all of 8."""
    return {"LoRA": adapt(model, attention, ffn, None), "E4": adapt(model, attention, ffn, 4),
            "E8": adapt(model, attention, ffn, 8), "stack-all E8": adapt(model, attention, ffn, 8, stack=True)}


def compare(steps: dict[str, Step], models: dict[str, Any], optimised: bool, rounds: int, device: torch.device
            ) -> dict[str, dict[str, float]]:
    """Seconds forward and per training step, and MiB kept, of every side."""
    torch.testing.assert_close(steps["E8"]().float(), steps["stack-all E8"]().float(), rtol=2e-2, atol=2e-2)

    def forward(name: str) -> None:
        with torch.no_grad():
            steps[name]()

    def train(name: str, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad()
        steps[name]().backward()
        if optimised:
            optimiser.step()

    timed: dict[str, Callable[[], object]] = {}
    for name, model in models.items():
        optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-5,
                                      fused=True)
        timed[f"{name}/forward"] = lambda name=name: forward(name)  # type: ignore[misc]
        timed[f"{name}/train"] = lambda name=name, optimiser=optimiser: train(name, optimiser)  # type: ignore[misc]
    memory = {name: kept(steps[name], models[name]) for name in models}
    spent = medians(timed, rounds, device)
    return {name: {"forward": spent[f"{name}/forward"], "train": spent[f"{name}/train"], "kept_mib": memory[name]}
            for name in models}


def layer(width_in: int, width_out: int, rounds: int, device: torch.device) -> dict[str, dict[str, float]]:
    """One map alone."""
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    models = sides(nn.Sequential(nn.Linear(width_in, width_out, bias=False)).to(device, dtype), [], ["0"])
    x = torch.randn(1, TOKENS, width_in, device=device, dtype=dtype, requires_grad=True)
    back = torch.randn(1, TOKENS, width_out, device=device)

    def step(model: nn.Module) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu"):
            return (model(x) * back).sum()

    return compare({name: lambda model=model: step(model) for name, model in models.items()},  # type: ignore[misc]
                   models, False, rounds, device)


def whole(rounds: int, device: torch.device) -> dict[str, dict[str, float]]:
    """The packaged LLM."""
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    backbone = load_backbone(converted_folder(resolve_backbone("smollm2-135m")), device, dtype, head=True)[1]
    models = sides(backbone, ATTENTION, FFN)
    ids = torch.randint(backbone.config.vocab_size, BATCH, generator=torch.Generator().manual_seed(0)).to(device)

    def step(model: Any) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu"):
            return model(input_ids=ids, labels=ids).loss

    return compare({name: lambda model=model: step(model) for name, model in models.items()},  # type: ignore[misc]
                   models, True, rounds, device)


def tell(place: str, table: dict[str, dict[str, float]]) -> dict[str, float]:
    """Prints a table; returns the ratios that the last line gives."""
    for name, row in table.items():
        print(f"{place:10s} {name:12s} forward {row['forward'] * 1000:8.1f} ms "
              f"({row['forward'] / table['LoRA']['forward']:.2f})   train {row['train'] * 1000:8.1f} ms "
              f"({row['train'] / table['LoRA']['train']:.2f})   kept {row['kept_mib']:7.1f} MiB", flush=True)
    ratios = {f"{place}_{key}_{name}": table[name][key] / table["LoRA"][key]
              for name in ("E4", "E8") for key in ("forward", "train")}
    return ratios | {f"{place}_stack_all_E8": table["stack-all E8"]["train"] / table["E8"]["train"]}


def main(rounds: int, device: torch.device) -> int:
    """Prints every ratio and one JSON line; returns 0 where all targets are met."""
    ratios: dict[str, float] = {}
    for narrow, wide in ((576, 1536), (1024, 2816)):
        up, down = layer(narrow, wide, 3 * rounds, device), layer(wide, narrow, 3 * rounds, device)
        tell(f"{narrow}-{wide}", up)
        tell(f"{wide}-{narrow}", down)
        ratios |= tell(f"block_{narrow}", {name: {key: 2 * up[name][key] + down[name][key] for key in up[name]}
                                           for name in up})
    ratios |= tell("model", whole(rounds, device))
    ok = (all(ratios[name] <= most for name, most in TARGETS.items())
          and all(ratios[name] >= least for name, least in FASTER.items()))
    print(json.dumps({"benchmark": "molora", "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
                      "targets": {"at_most": TARGETS, "at_least": FASTER}, "device": str(device), "rounds": rounds,
                      "threads": torch.get_num_threads(), "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3,
                  torch.device(sys.argv[2] if len(sys.argv) > 2 else "cpu")))
