"""Two views of the same rows, drawn together by contrast with the other rows of the batch."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Alignment(nn.Module):
    """``-log(exp s_ii / sum over j of exp s_ij)``, s the cosines of linear maps of two views, in both directions.

    With ``own_counts`` this is InfoNCE (van den Oord et al., https://arxiv.org/abs/1807.03748), two-way as in CLIP, and
    never negative. Without it the row's own pair is left out of the sum, as LEADER's released code has it: the loss has
    no lower bound at 0, and a batch of one, which has no other row, gives 0.

    Args:
        width: D of both views and of the space in which they are compared.
        own_counts: whether j = i is among those of the sum.
    """

    def __init__(self, width: int, own_counts: bool) -> None:
        super().__init__()
        self.first, self.second, self.own_counts = nn.Linear(width, width), nn.Linear(width, width), own_counts

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """a [B, D] and b [B, D], row by row the same -> the mean over rows of both directions' sum."""
        cosines = (F.normalize(self.first(a), dim=-1) @ F.normalize(self.second(b), dim=-1).T).float()  # [B, B]
        own = cosines.diagonal()
        others = cosines
        if not self.own_counts:
            if len(own) == 1:
                return cosines.sum() * 0.0
            others = cosines.masked_fill(torch.eye(len(own), dtype=torch.bool, device=own.device), -torch.inf)
        return (others.logsumexp(0) + others.logsumexp(1) - 2 * own).mean()
