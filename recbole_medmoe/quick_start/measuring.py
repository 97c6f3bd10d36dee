"""What a trained model costs: latency of one request, tokens that its language model read in a second of training."""
from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Mapping, Sequence

import numpy as np
import torch

from ..evaluation.evaluator import clock
from ..processes import total

_ROWS, _WARM = 30, 3


@torch.no_grad()
def latency(model: Any, test: Any, device: torch.device) -> dict[str, float] | None:
    """Milliseconds to rank the catalogue for one user, warm and synchronised; None for models that score pairs only."""
    from recbole.data.dataloader import FullSortEvalDataLoader
    from recbole.model.abstract_recommender import AbstractRecommender

    stock = getattr(type(model), "full_sort_predict", None) is AbstractRecommender.full_sort_predict
    if stock or not isinstance(test, FullSortEvalDataLoader):
        return None
    users = next(iter(test))[0]
    model.eval()
    nothing_kept = getattr(model, "nothing_kept", nullcontext)   # what a model keeps of a user is no speed
    times = []
    for row in [0] * _WARM + list(range(min(len(users), _ROWS))):
        one = users[row:row + 1].to(device)
        with nothing_kept():
            begun = clock(device)
            model.full_sort_predict(one)
            times.append(1000 * (clock(device) - begun))
    warm = times[_WARM:]
    return {"batch": 1, "p50": float(np.percentile(warm, 50)), "p95": float(np.percentile(warm, 95))}


def tokens_per_second(model: Any, history: Sequence[Mapping[str, Any]]) -> float | None:
    """Tokens that training steps read with the language model, per second of the epochs, over all processes; None for
    models that read none while they train."""
    read = total(sum(getattr(part, "tokens_read", 0) for part in model.modules()))
    seconds = sum(epoch["seconds"] for epoch in history)
    return read / seconds if read and seconds else None
