"""Top-K lists of a block of scores: over the whole catalogue as RecBole, or over candidates with ties drawn by lot."""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import TrainingError


class Lots:
    """The order in which candidates are laid out for each row, since ``torch.topk`` settles ties by place.

    Internal ids of items that training never saw follow their first appearance in the valid and test files, so that
    frequent items come first; a model that scores them all alike (popularity on cold items) would be paid for that. The
    layout is one random order, begun at a random place in every row; it depends on the candidates and the row alone.

    Args:
        candidates: [I] bool, items that are ranked; [PAD] never is.
    """

    def __init__(self, candidates: Tensor) -> None:
        items = candidates.cpu().nonzero().squeeze(1)
        items = items[items > 0].numpy()
        self._generator = np.random.default_rng(0)
        self._items = torch.from_numpy(self._generator.permutation(items))

    def draw(self, rows: int) -> Tensor:
        """[B, C] item at each place, for the next B rows."""
        start = torch.from_numpy(self.skip(rows))[:, None]
        count = len(self._items)
        return self._items[((start * count).long() + torch.arange(count)) % count]

    def skip(self, rows: int) -> np.ndarray:
        """[B] where the layout of the next B rows begins, as a share; those after them are laid out as ever."""
        return self._generator.random(rows)


def forbid(scores: Tensor, positions: Tensor) -> None:
    """Writes -inf into [B, I] scores at [PAD] and at flat positions ``row * I + item``."""
    scores[:, 0] = -torch.inf
    if scores.device.type == "cpu":
        # NumPy's indexing is up to ten times as fast as torch's here.
        scores.view(-1).numpy()[positions.numpy()] = -np.inf
    else:
        scores.view(-1).scatter_(0, positions.to(scores.device), -torch.inf)


def top_items(scores: Tensor, depth: int, lots: Lots | None = None) -> np.ndarray:
    """Best items of each row.

    Args:
        scores: [B, I], -inf where an item is not to be listed.
        depth: K.
        lots: candidates, where not the whole catalogue is ranked.

    Returns:
        [B, K] internal item ids, best first; 0 where a row has fewer than K items.

    Raises:
        TrainingError: scores that are not numbers.
    """
    laid_out = None if lots is None else lots.draw(len(scores)).to(scores.device)
    if laid_out is not None:
        scores = scores.gather(1, laid_out)
    values, places = scores.topk(min(depth, scores.shape[1]), dim=1)
    items = (places if laid_out is None else laid_out.gather(1, places)).cpu().numpy()
    best = values.cpu().numpy()
    # NaN sorts before every number, so that a row with any NaN shows it in its first place; -inf sorts last.
    if np.isnan(best[:, 0]).any():
        raise TrainingError("the model's scores are not numbers (NaN): its weights diverged; lower learning_rate")
    if np.isneginf(best[:, -1]).any():
        items[np.isneginf(best)] = 0
    lacking = depth - items.shape[1]
    return np.pad(items, ((0, 0), (0, lacking))) if lacking else items


def find_hits(scores: Tensor, items: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Looks the listed items up among the positives, which it marks in the scores: those are spent once lists are made.

    The cost is that of the positives and of the lists; no [B, I] matrix of hits is made and no order is searched.

    Args:
        scores: [B, I], written to.
        items: [B, K] listed items, 0 ([PAD]) where a list ends early.
        positives: [P] flat positions ``row * I + item``.

    Returns:
        [B, K] bool, whether the item at that rank is a positive of the row; [PAD] never is.
    """
    listed = np.arange(len(items))[:, None] * scores.shape[1] + items
    flat = scores.view(-1)
    if scores.device.type == "cpu":
        values = flat.numpy()
        values[positives] = np.nan
        hits = np.isnan(values[listed])
    else:
        flat[torch.from_numpy(positives).to(scores.device)] = torch.nan
        hits = flat[torch.from_numpy(listed).to(scores.device)].isnan().cpu().numpy()
    return hits & (items > 0)
