"""A dense mixture of experts: every expert is a small network, a softmax gate weighs them per row."""
from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .dropout import Dropout


class MixtureOfExperts(nn.Module):
    """E experts ``Linear -> GELU -> dropout -> Linear`` and a gate ``softmax(W x)`` that sees the same input.

    With ``top_k`` only the k largest gate weights of a row are kept, and made to sum to 1 again. All experts are
    computed in one batched product.

    Args:
        width_in: D of the input.
        width_out: D of the output.
        hidden: D inside each expert.
        experts: E.
        top_k: k of E, or None for all.
        dropout: share of hidden units that training leaves out.

    Raises:
        ValueError: ``top_k`` is not between 1 and E.

    Example:
        >>> mixture = MixtureOfExperts(8, 4, hidden=16, experts=3)
        >>> output, gate = mixture(torch.randn(2, 8))
        >>> output.shape, gate.shape
        (torch.Size([2, 4]), torch.Size([2, 3]))
    """

    def __init__(self, width_in: int, width_out: int, *, hidden: int, experts: int, top_k: int | None = None,
                 dropout: float = 0.0) -> None:
        super().__init__()
        if top_k is not None and not 1 <= top_k <= experts:
            raise ValueError(f"top_k {top_k} of {experts} experts")
        self.top_k, self.dropout = top_k, Dropout(dropout)
        self.gate = nn.Linear(width_in, experts)
        self.inner = nn.Parameter(_uniform(experts, width_in, hidden))
        self.inner_bias = nn.Parameter(torch.zeros(experts, 1, hidden))
        self.outer = nn.Parameter(_uniform(experts, hidden, width_out))
        self.outer_bias = nn.Parameter(torch.zeros(experts, 1, width_out))

    def weights(self, x: Tensor) -> Tensor:
        """Gate weights of x [B, D] -> [B, E]; each row sums to 1."""
        weights = F.softmax(self.gate(x), dim=-1)  # [B, E]
        if self.top_k is None:
            return weights
        kept = torch.zeros_like(weights).scatter(-1, weights.topk(self.top_k, dim=-1).indices, 1.0)
        weights = weights * kept
        return weights / weights.sum(-1, keepdim=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, D] -> output [B, width_out] and gate weights [B, E]."""
        shared = x.expand(len(self.inner), *x.shape)  # [E, B, D] without a copy
        hidden = self.dropout(F.gelu(torch.baddbmm(self.inner_bias, shared, self.inner)))  # [E, B, hidden]
        outputs = torch.baddbmm(self.outer_bias, hidden, self.outer)  # [E, B, width_out]
        gate = self.weights(x)  # [B, E]
        return (gate.T.unsqueeze(-1) * outputs).sum(0), gate


def _uniform(experts: int, width_in: int, width_out: int) -> Tensor:
    """As ``nn.Linear`` starts, for E matrices at once."""
    bound = 1 / math.sqrt(width_in)
    return torch.empty(experts, width_in, width_out).uniform_(-bound, bound)
