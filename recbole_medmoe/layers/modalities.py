"""Several modalities of one item: each projected to soft tokens, and weighed by a gate that knows which are there."""
from __future__ import annotations

import torch
from torch import Tensor, nn

from .dropout import Dropout
from .experts import MixtureOfExperts


class SoftProjector(nn.Module):
    """Features of one modality to K soft tokens in a language model's token space, each of the same length.

    Args:
        width_in: D of the features.
        width_out: W of the language model.
        tokens: K.
        experts: E of a mixture of experts; 0 for a single linear map.
        hidden: D inside each expert.
        dropout: share of the features, and of hidden units, that training leaves out.
        length: of each soft token, as long as the tokens among which it will stand.

    Example:
        >>> project = SoftProjector(8, 16, tokens=2, experts=3, hidden=4, length=5.0)
        >>> tokens, gate = project(torch.randn(6, 8))
        >>> tokens.shape, gate.shape, round(float(tokens[0, 0].norm()), 3)
        (torch.Size([6, 2, 16]), torch.Size([6, 3]), 5.0)
    """

    length: Tensor

    def __init__(self, width_in: int, width_out: int, *, tokens: int, experts: int, hidden: int, dropout: float = 0.0,
                 length: float = 1.0) -> None:
        super().__init__()
        self.tokens, self.drop = tokens, Dropout(dropout)
        self.mixture = MixtureOfExperts(width_in, tokens * width_out, hidden=hidden, experts=experts,
                                        dropout=dropout) if experts else None
        self.linear = None if experts else nn.Linear(width_in, tokens * width_out)
        self.register_buffer("length", torch.tensor(length))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [N, D] -> soft tokens [N, K, W], and gate weights [N, E]; a linear map counts as one expert."""
        x = self.drop(x)
        if self.mixture is not None:
            flat, gate = self.mixture(x)
        else:
            assert self.linear is not None
            flat, gate = self.linear(x), x.new_ones(len(x), 1)
        tokens = flat.unflatten(-1, (self.tokens, -1)).float()  # [N, K, W]
        return tokens * (self.length / tokens.norm(dim=-1, keepdim=True).clamp(min=1e-6)), gate


class ModalityGate(nn.Module):
    """How much each of M modalities of an item counts: ``softmax(f(item) + g(user))`` over those that are there.

    f sees the features of all modalities of the item and which of them are there; g sees the user's state. They are
    added, so that the weights of B users and I items cost B + I evaluations. The gate starts with even weights.

    Args:
        width: D of all modalities side by side.
        count: M.
        user_width: D of a user's state.
        hidden: D inside f.
    """

    def __init__(self, width: int, count: int, user_width: int, hidden: int) -> None:
        super().__init__()
        self.item = nn.Sequential(nn.Linear(width + count, hidden), nn.GELU(), nn.Linear(hidden, count))
        self.user = nn.Linear(user_width, count, bias=False)
        for last in (self.item[2], self.user):
            nn.init.zeros_(last.weight)
        nn.init.zeros_(self.item[2].bias)

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """f: features [N, D], zero where absent, and present [N, M] bool -> [N, M]."""
        return self.item(torch.cat([features, present.to(features.dtype)], dim=-1))


def present_shares(logits: Tensor, present: Tensor) -> Tensor:
    """Softmax over what is there: exactly 0 where not, and the rest sums to 1; all 0 where nothing is there.

    Args:
        logits: [..., M].
        present: [..., M] bool, of a shape that broadcasts to that of the logits.

    Example:
        >>> present_shares(torch.zeros(2, 3), torch.tensor([[True, False, True], [False, False, False]])).tolist()
        [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]
    """
    nothing = ~present.any(-1, keepdim=True)
    return logits.float().masked_fill(~(present | nothing), -torch.inf).softmax(-1) * present
