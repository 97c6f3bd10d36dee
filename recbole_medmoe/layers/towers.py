"""Towers bring users and items to one width; a match scores them against each other."""
from __future__ import annotations

import math

from torch import Tensor, nn

from .dropout import Dropout


class Tower(nn.Module):
    """Features to a vector: one linear map, or ``Linear -> GELU -> dropout -> Linear`` with ``hidden``.

    Args:
        width_in: D of the input.
        width_out: D of the vector.
        hidden: D in between; 0 for a linear tower.
        dropout: share of inputs (and of hidden units) that training leaves out.
        gain: factor of the inputs.
    """

    def __init__(self, width_in: int, width_out: int, *, hidden: int = 0, dropout: float = 0.0,
                 gain: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = [Dropout(dropout, gain)]
        if hidden:
            layers += [nn.Linear(width_in, hidden), nn.GELU(), Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden or width_in, width_out))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, D] -> [B, width_out]."""
        return self.layers(x)


class Match(nn.Module):
    """Scores each user against each item: ``u . v / sqrt(D) + w . v``; the second term is how popular v's like are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = 1 / math.sqrt(width)
        self.popularity = nn.Linear(width, 1, bias=False)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """users [B, D] and items [I, D] -> [B, I]."""
        return users @ items.T * self.scale + self.popularity(items).T
