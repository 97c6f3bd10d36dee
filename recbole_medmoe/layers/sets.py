"""Sets of ids of different sizes: stored one after the other, padded for the rows of a batch only."""
from __future__ import annotations

import torch
from torch import Tensor, nn


def padded_rows(values: Tensor, offsets: Tensor, rows: Tensor, *, at_end: bool = False) -> Tensor:
    """Gathers rows of different lengths; no wider than the longest of them, at least one column.

    Args:
        values: ids of all rows, one row after the other [S].
        offsets: where each row begins, and the end of the last one [N + 1].
        rows: which rows, of any shape [...].
        at_end: ids stand at the end of a row and 0 before them, so that the last column holds the last id.

    Returns:
        [..., L], filled up with 0.

    Example:
        >>> padded_rows(torch.tensor([4, 5, 6]), torch.tensor([0, 0, 1, 3]), torch.tensor([2, 0])).tolist()
        [[5, 6], [0, 0]]
    """
    first, sizes = offsets[rows], offsets[rows + 1] - offsets[rows]  # [...]
    longest = max(1, int(sizes.max())) if sizes.numel() else 1
    places = torch.arange(longest, device=values.device)
    if at_end:
        places = places - (longest - sizes).unsqueeze(-1)
    inside = (places >= 0) & (places < sizes.unsqueeze(-1))  # [..., L]
    if not values.numel():
        return torch.zeros_like(inside, dtype=torch.int64)
    return values[(first.unsqueeze(-1) + places).clamp(0, len(values) - 1)] * inside


def multi_hot(ids: Tensor, width: int) -> Tensor:
    """Sets of ids as rows of 0 and 1; id 0 means none.

    Args:
        ids: [..., L] int64, filled up with 0.
        width: number of ids, 0 among them.

    Returns:
        [..., width] float32; column 0 is 0.
    """
    found = torch.zeros(*ids.shape[:-1], width, device=ids.device)
    found.scatter_(-1, ids, 1.0)
    found[..., 0] = 0.0
    return found


def set_shares(ids: Tensor, there: Tensor, width: int) -> Tensor:
    """Share of the sets of each row that hold an id; zero where a row has no set.

    Args:
        ids: [B, V, L] int64, filled up with 0, which means none.
        there: [B, V] bool, which sets there are.
        width: number of ids, 0 among them.

    Returns:
        [B, width].
    """
    kept = ids * there.unsqueeze(-1)
    sums = multi_hot(kept[:, 0], width)
    for place in range(1, kept.shape[1]):  # [B, V, width] would be wide
        sums = sums + multi_hot(kept[:, place], width)
    return sums / there.sum(-1, keepdim=True).clamp(min=1)


class SetEmbedding(nn.EmbeddingBag):
    """Sets of ids to the sum of their vectors; an empty set is the zero vector.

    Args:
        count: number of ids, 0 among them, which means none.
        width: D.
    """

    def __init__(self, count: int, width: int) -> None:
        super().__init__(count, width, mode="sum", padding_idx=0)
        nn.init.normal_(self.weight, std=width ** -0.5)  # a vector of length 1, whatever D
        with torch.no_grad():
            self.weight[0].zero_()

    def forward(self, ids: Tensor) -> Tensor:  # type: ignore[override]
        """ids [..., L] -> [..., D]."""
        return super().forward(ids.flatten(0, -2)).unflatten(0, ids.shape[:-1])
