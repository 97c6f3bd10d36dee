"""Rows of vectors from several sources, woven into one padded batch."""
from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor


class Weaver:
    """Collects vectors of width W, and gathers rows of them in any order, as often as wanted.

    Example:
        >>> weaver = Weaver()
        >>> first, second = weaver.add(torch.ones(2, 3)), weaver.add(torch.zeros(1, 3))
        >>> states, mask = weaver.rows([[first, first + 1, second], [second]])
        >>> states[..., 0].tolist(), mask.tolist()
        ([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], [[True, True, True], [True, False, False]])
    """

    def __init__(self) -> None:
        self._parts: list[Tensor] = []
        self._count = 0

    def add(self, vectors: Tensor) -> int:
        """Takes vectors [N, W] and tells the number of the first; the others follow it."""
        self._parts.append(vectors.float())
        self._count += len(vectors)
        return self._count - len(vectors)

    def rows(self, numbers: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Vectors of B rows of numbers -> [B, T, W] and mask [B, T] bool; what fills up a row means nothing."""
        flat = torch.cat(self._parts)
        longest = max(map(len, numbers))
        places = torch.tensor([[*row, *[0] * (longest - len(row))] for row in numbers], device=flat.device)  # [B, T]
        lengths = torch.tensor([len(row) for row in numbers], device=flat.device)
        return flat[places], torch.arange(longest, device=flat.device) < lengths.unsqueeze(1)
