"""What models of medication sets add to the cross-entropy: a margin between given and other ones, and interactions."""
from __future__ import annotations

import torch
from torch import Tensor


def multi_label_margin(shares: Tensor, truth: Tensor) -> Tensor:
    """``sum over given i, others j of max(0, 1 - (p_i - p_j)) / M``, the multi-label margin of GAMENet and MICRON.

    Probabilities never lie more than 1 apart, so that the maximum is always its second term and the sum over pairs
    falls into two sums.

    Args:
        shares: probabilities [B, M].
        truth: 0 or 1 [B, M].

    Returns:
        [B].

    Example:
        >>> multi_label_margin(torch.tensor([[0.75, 0.5]]), torch.tensor([[1.0, 0.0]])).tolist()
        [0.375]
    """
    given, other = truth.sum(-1), (1 - truth).sum(-1)  # [B]
    inside, outside = (shares * truth).sum(-1), (shares * (1 - truth)).sum(-1)
    return (given * other - other * inside + given * outside) / shares.shape[-1]


def interaction_loss(shares: Tensor, ddi: Tensor) -> Tensor:
    """``sum over i, j of ddi_ij p_i p_j / M``: how much a set would interact, smooth in its probabilities.

    Args:
        shares: probabilities [B, M].
        ddi: 1 where two medications interact, else 0 [M, M].

    Returns:
        [B].
    """
    return ((shares @ ddi) * shares).sum(-1) / shares.shape[-1]


@torch.no_grad()
def interaction_rate(chosen: Tensor, ddi: Tensor) -> Tensor:
    """Share of the pairs of a set that interact; 0 for a set without pairs.

    Args:
        chosen: sets as 0 and 1 [B, M].
        ddi: 1 where two medications interact, else 0 [M, M].

    Returns:
        [B].
    """
    sizes = chosen.sum(-1)
    return ((chosen @ ddi) * chosen).sum(-1) / (sizes * (sizes - 1)).clamp(min=1)
