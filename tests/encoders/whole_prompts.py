"""What a shared prefix must equal: a loop of whole prompts."""
from __future__ import annotations

from typing import Any, Sequence

import torch
from torch import Tensor

Options = Sequence[Sequence[Sequence[int]]]


def whole_prompts(model: Any, prefixes: Sequence[Sequence[int]], options: Options) -> Tensor:
    """Sums of log-likelihoods, each by one prompt of its own -> [B, C]; 0 where there is no option."""
    found = torch.zeros(len(prefixes), max(map(len, options)))
    for question, (prefix, own) in enumerate(zip(prefixes, options)):
        for number, option in enumerate(own):
            shares = model(input_ids=torch.tensor([[*prefix, *option]]), use_cache=False).logits[0].log_softmax(-1)
            places = range(len(prefix) - 1, len(prefix) + len(option) - 1)
            told = [shares[place, token] for place, token in zip(places, option)]
            if told:
                found[question, number] = torch.stack(told).sum()
    return found


def table(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows filled up with -1."""
    longest = max(1, *map(len, rows))
    return torch.tensor([[*row, *[-1] * (longest - len(row))] for row in rows])


def tables(options: Options) -> Tensor:
    """[B, C, S], filled up with -1."""
    most = max(map(len, options))
    return table([row for own in options for row in [*own, *[[]] * (most - len(own))]]).view(len(options), most, -1)
