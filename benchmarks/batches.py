"""Batches of an LLM: prompts of like length together, against padding to 1,024 tokens and against the bare backbone.

The packaged LLM reads healthfood's patients with the template and the read-out of LLMOnly, in batches of at most 2,048
tokens, padding included. Of the batches that the whole data set falls into, three are run: those in the middle of the
longest, the middling and the shortest third.

Counted for "length buckets": `TextEncoder.encode` whole, from raw texts to vectors. Counted for "padded to 1,024": the
backbone and the same read-out on four of these prompts, each padded to 1,024 with its mask; no template, no tokenizer.
Counted for "bare backbone": its forward pass alone over batches of exactly the shapes of the buckets, all of them real
tokens, without mask or read-out. Tokens per second count real tokens, so padding counts against the buckets. Each round
runs every side once, in an order drawn anew; ratios are of medians.

Usage: python benchmarks/batches.py [rounds]
"""
from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import numpy as np  # noqa: E402
import torch  # noqa: E402

from recbole_medmoe.atomic import read_texts  # noqa: E402
from recbole_medmoe.config import MedConfig  # noqa: E402
from recbole_medmoe.encoders.batches import token_batches  # noqa: E402
from recbole_medmoe.encoders.text import TextEncoder  # noqa: E402
from recbole_medmoe.model.base import read_params  # noqa: E402
from timing import time_in_turn  # noqa: E402

TARGETS = {"faster_than_padding_to_1024": 5.0, "tokens_per_second_over_bare_backbone": 0.9}
SAMPLE, PADDED, WIDTH, BUDGET = 3, 4, 1024, 2048


def prepare() -> tuple[TextEncoder, list[str], float]:
    """The LLM as LLMOnly reads patients, the sample of raw texts, and the share of padding over the whole data set."""
    config = MedConfig("LLMOnly", "healthfood", overrides={"device": "cpu"})
    kind = config.spec.load()
    request = next(found for found in kind.feature_requests(read_params(kind.Params, config)) if found.side == "user")
    texts = list(read_texts(config.dataset_folder / "text" / "user.jsonl").values())
    encoder = TextEncoder(request.encoder)
    lengths = [len(row) for row in encoder.prompts.rows(texts)]
    batches = token_batches(lengths, BUDGET)
    ran = sum(len(batch) * lengths[batch[0]] for batch in batches)
    middles = [len(batches) * (2 * third + 1) // (2 * SAMPLE) for third in range(SAMPLE)]
    return encoder, [texts[row] for place in middles for row in batches[place]], 1 - sum(lengths) / ran


def padded(encoder: TextEncoder, rows: Sequence[np.ndarray]) -> np.ndarray:
    """Vectors of prompts that are each padded to the same width [N, D]."""
    ids = torch.full((len(rows), WIDTH), encoder.padding)
    mask = torch.zeros(len(rows), WIDTH, dtype=torch.int64)
    for place, row in enumerate(rows):
        ids[place, :len(row)], mask[place, :len(row)] = torch.from_numpy(row).long(), 1
    at_once = BUDGET // WIDTH
    parts = [encoder.readout(ids[first:first + at_once], mask[first:first + at_once])
             for first in range(0, len(rows), at_once)]
    return torch.cat(parts).numpy()


@torch.inference_mode()
def bare(encoder: TextEncoder, batches: Sequence[torch.Tensor]) -> None:
    """The backbone alone."""
    for ids in batches:
        encoder.model(input_ids=ids, use_cache=False)


def main(rounds: int) -> int:
    """Prints medians and one JSON line; returns 0 where both targets are met."""
    encoder, texts, padding = prepare()
    rows = encoder.prompts.rows(texts)
    lengths = [len(row) for row in rows]
    shapes = [(len(batch), max(lengths[row] for row in batch)) for batch in token_batches(lengths, BUDGET)]
    drawn = torch.Generator().manual_seed(0)
    batches = [torch.randint(encoder.model.config.vocab_size, shape, generator=drawn) for shape in shapes]
    some = [len(texts) * place // PADDED for place in range(PADDED)]
    bucketed = encoder.encode(texts, batch_tokens=BUDGET, progress=False)
    difference = float(np.abs(padded(encoder, [rows[place] for place in some]) - bucketed[some]).max())
    scale = float(np.abs(bucketed[some]).max())
    seconds = time_in_turn({
        "length buckets": lambda: encoder.encode(texts, batch_tokens=BUDGET, progress=False),
        "padded to 1,024": lambda: padded(encoder, [rows[place] for place in some]),
        "bare backbone": lambda: bare(encoder, batches)}, rounds)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    tokens = {"length buckets": sum(lengths), "padded to 1,024": sum(lengths[place] for place in some),
              "bare backbone": sum(count * width for count, width in shapes)}
    prompts = {"length buckets": len(texts), "padded to 1,024": PADDED, "bare backbone": len(texts)}
    print(f"{len(texts)} prompts of {min(lengths)} to {max(lengths)} tokens in batches of {shapes}; "
          f"padding is {padding:.1%} of the whole data set's batches")
    for name, median in medians.items():
        print(f"{name:16s} {median / prompts[name] * 1000:9.1f} ms per prompt {tokens[name] / median:8.0f} tokens/s")
    cost = {name: median / prompts[name] for name, median in medians.items()}
    speed = {name: tokens[name] / median for name, median in medians.items()}
    ratios = {"faster_than_padding_to_1024": cost["padded to 1,024"] / cost["length buckets"],
              "tokens_per_second_over_bare_backbone": speed["length buckets"] / speed["bare backbone"]}
    same = difference <= 1e-3 * scale
    ok = same and all(ratios[name] >= target for name, target in TARGETS.items())
    print(json.dumps({"benchmark": "batches", "ratios": {key: round(value, 3) for key, value in ratios.items()},
                      "targets": TARGETS, "same_vectors": same, "largest_difference": difference,
                      "largest_value": scale, "backbone": encoder.spec.backbone,
                      "dtype": str(encoder.dtype).removeprefix("torch."), "rounds": rounds,
                      "threads": torch.get_num_threads(), "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
