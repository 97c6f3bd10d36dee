"""One modality on its way into a model: standardised, and with a learned vector where it is absent."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ModalityInput(nn.Module):
    """Standardises features by the training rows, scales them so that a row has length 1 on average however wide it is,
    and replaces absent rows by a learned vector.

    Without the scaling a modality of 1,728 columns drowns one of 40: each step of an optimiser like Adam moves every
    weight alike, and so the output by the sum over all columns. So that the vector is learned even where every training
    row is present, training hides a share of the rows.

    Args:
        width: D.
        hide: share of rows that training hides (modality dropout).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, hide: float = 0.0) -> None:
        super().__init__()
        self.hide = hide
        self.absent = nn.Parameter(torch.zeros(width))  # zero is the mean row of training
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    @torch.no_grad()
    def fit(self, rows: Tensor) -> None:
        """Takes mean and spread of training rows [N, D]; a column that never changes counts as one of spread 1."""
        if len(rows):
            spread = rows.std(0, unbiased=False)
            self.mean.copy_(rows.mean(0))
            spread = torch.where(spread > 1e-6, spread, torch.ones_like(spread))
            self.scale.copy_(spread * math.sqrt(rows.shape[1]))

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """features [B, D] and present [B] bool -> [B, D]."""
        if self.training and self.hide > 0:
            present = present & (torch.rand(present.shape, device=present.device) >= self.hide)
        rows = (features - self.mean).div_(self.scale)
        # Few rows, while torch.where would pass over all of them, forth and back.
        rows[~present] = self.absent.to(rows.dtype)
        return rows
