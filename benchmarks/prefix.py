"""Scoring n candidates of one question with a shared prefix, against n full prompts: how many times faster.

The packaged LLM (SmolLM2-135M; float32 on a CPU, bfloat16 on a GPU), random token ids, candidates of 4 tokens, prefixes
of three lengths. A full prompt gets every saving but the shared prefix: its last token is not read, the head predicts
only the candidate, and as many prompts run at once as `PrefixScorer` has tokens at once. Its time is that of one such
batch, shared out; n prompts cost n times as much. Scores of both ways are compared. What it costs to count the routers
meanwhile is told for MoLoRA on the FFN (8 experts, 2 chosen, 90 layers), 16 candidates after the shortest one.

On a CPU processor seconds are taken, which other work on the machine changes less than the clock; on a GPU the clock.
Each round runs every side once, in an order drawn anew; ratios are of medians.

Usage: python benchmarks/prefix.py [rounds] [device]
"""
from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from timing import time_in_turn  # noqa: E402

from recbole_medmoe.encoders import MoLoraConfig, PrefixScorer, resolve_backbone  # noqa: E402
from recbole_medmoe.encoders.gguf import converted_folder  # noqa: E402
from recbole_medmoe.encoders.loading import load_backbone  # noqa: E402
from recbole_medmoe.evaluation import RoutingCounts  # noqa: E402

from peft import get_peft_model  # noqa: E402

COUNTS, LENGTH, AT_ONCE = (4, 16, 64), 4, 2048
MEASURED = {256: COUNTS, 2048: COUNTS, 4096: (64,)}  # prefix: candidates
MOST = 1.05  # with routers counted, over without
TARGETS = {256: {16: 10.0}, 2048: {4: 3.6, 16: 14.4}, 4096: {64: 57.6}}  # prefix: candidates: times faster


@torch.no_grad()
def full_prompts(model: Any, prefix: Tensor, options: Tensor) -> Tensor:
    """Sums of log-likelihoods of n candidates [n, S] after a prefix [P], each with a prompt of its own -> [n]."""
    prompts = torch.cat([prefix.expand(len(options), -1), options[:, :-1]], dim=1)
    logits = model(input_ids=prompts, use_cache=False, logits_to_keep=LENGTH).logits.float()
    return (logits.gather(-1, options.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)).sum(-1)


def medians(timed: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each."""
    def clock() -> float:
        if device.type == "cpu":
            return time.process_time()
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return {name: statistics.median(times) for name, times in time_in_turn(timed, rounds, clock).items()}


def counting(model: Any, rounds: int, device: torch.device) -> float:
    """Seconds of scoring while routers are counted, over those while they are not."""
    ffn = ["gate_proj", "up_proj", "down_proj"]
    routed = get_peft_model(model, MoLoraConfig(r=8, num_experts=8, target_modules=ffn)).eval()
    scorer, counts = PrefixScorer(routed, "sum", AT_ONCE), RoutingCounts()
    draw = torch.Generator().manual_seed(0)
    prefix, options = (torch.randint(model.config.vocab_size, shape, generator=draw) for shape in
                       ((1, min(TARGETS)), (1, 16, LENGTH)))

    def counted() -> None:
        counts.begin(torch.zeros(1, dtype=torch.int64))
        scorer.score(prefix, options, counts)

    counted()
    spent = medians({"counted": counted, "plain": lambda: scorer.score(prefix, options)}, rounds, device)
    print(f"counting the routers: {spent['counted']:.2f} s, without {spent['plain']:.2f} s", flush=True)
    return spent["counted"] / spent["plain"]


def compare(model: Any, length: int, rounds: int, device: torch.device) -> dict[str, float]:
    """Prints the table of one prefix; returns times faster, and the largest difference of a token's log-likelihood."""
    draw = torch.Generator().manual_seed(length)
    prefix, options = (torch.randint(model.config.vocab_size, shape, generator=draw).to(device)
                       for shape in ((length,), (max(COUNTS), LENGTH)))
    scorer, batch = PrefixScorer(model, "sum", AT_ONCE), max(1, AT_ONCE // (length + LENGTH))
    timed: dict[str, Callable[[], Any]] = {"full": lambda: full_prompts(model, prefix, options[:batch])}
    question = prefix.unsqueeze(0)
    for count in MEASURED[length]:
        timed[str(count)] = partial(scorer.score, question, options[:count].unsqueeze(0))
    found = timed[str(max(MEASURED[length]))]()[0, :batch]  # and warms up
    difference = float((timed["full"]() - found).abs().max()) / LENGTH
    spent = medians(timed, rounds, device)
    one = spent.pop("full") / batch
    for name, seconds in spent.items():
        print(f"prefix {length:5d}, {name:>2s} candidates: full prompts {int(name) * one:8.2f} s, shared "
              f"{seconds:6.2f} s, {int(name) * one / seconds:5.1f} times", flush=True)
    return {"difference": difference, **{name: int(name) * one / seconds for name, seconds in spent.items()}}


def main(rounds: int, device: torch.device) -> int:
    """Prints every ratio and one JSON line; returns 0 where all targets are met and scores agree."""
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    model = load_backbone(converted_folder(resolve_backbone("smollm2-135m")), device, dtype, head=True)[1]
    found = {length: compare(model, length, rounds, device) for length in TARGETS}
    difference = max(told.pop("difference") for told in found.values())
    ratios = {f"{count}_after_{length}": ratio for length, told in found.items() for count, ratio in told.items()}
    least = {f"{count}_after_{length}": wanted for length, targets in TARGETS.items()
             for count, wanted in targets.items()}
    ratios["counting"] = counting(model, 3 * rounds, device)
    ok = (difference <= (1e-4 if dtype == torch.float32 else 0.1) and ratios["counting"] <= MOST
          and all(ratios[name] >= wanted for name, wanted in least.items()))
    print(json.dumps({"benchmark": "prefix", "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
                      "targets": {"at_least": least, "at_most": {"counting": MOST}},
                      "largest_difference": difference, "device": str(device), "rounds": rounds,
                      "threads": torch.get_num_threads(), "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1,
                  torch.device(sys.argv[2] if len(sys.argv) > 2 else "cpu")))
