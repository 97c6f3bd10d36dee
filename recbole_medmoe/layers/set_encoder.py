"""Sets of vectors by self-attention: a transformer block that knows no positions, and the mean over each set.

Sets differ much in size: filled up to the largest of a batch, most of it would be padding. So the vectors of all sets
stand one after the other, [S, D], with the size of each set [N] beside them, and only attention itself looks at padded
sets, those of like size together.
"""
from __future__ import annotations

import math
from typing import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .dropout import Dropout

_SMALL = 16


class SetBlock(nn.Module):
    """One pre-norm transformer block over sets, without positions.

        y = x + drop(attend(norm(x)))          no constants in queries, keys and values
        z = drop(y + drop(W2 drop(gelu(W1 norm(y)))))

    Source: the block of LEADER's student, https://arxiv.org/abs/2402.02803; attention is that of Vaswani et al.,
    https://arxiv.org/abs/1706.03762.

    Args:
        width: D.
        heads: number of heads H; divides D.
        inner: width between the two linear maps at the end.
        dropout: share of what each part adds, of the inner width and of the output, that training drops.
        attention_dropout: share of the attention weights that training drops.
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.inner_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width, bias=False)  # queries, keys and values
        self.gathered = nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.drop, self.attention_drop = Dropout(dropout), Dropout(attention_dropout)

    def forward(self, x: Tensor, sizes: Tensor) -> Tensor:
        """x [S, D], set after set, and sizes [N] of the sets -> [S, D]."""
        if not len(x):
            return x
        x = x + self.drop(self.gathered(self._attend(self.asked(self.attention_norm(x)), sizes)))
        inner = self.drop(F.gelu(self.widen(self.inner_norm(x)), approximate="tanh"))
        return self.drop(x + self.drop(self.narrow(inner)))

    def _attend(self, asked: Tensor, sizes: Tensor) -> Tensor:
        """Attention inside each set; asked [S, 3 D] -> [S, D]."""
        if len(sizes) * int(sizes.max()) == len(asked):  # all of one size, e.g. a single visit's: nothing to fill up
            return self._inside(asked.view(len(sizes), -1, asked.shape[-1]), None).flatten(0, 1)
        found, order = [], []
        for places, inside in _alike(sizes):  # [n, L] each
            rows = asked.index_select(0, places.flatten()).view(*places.shape, -1)
            found.append(self._inside(rows, inside)[inside])
            order.append(places[inside])
        return torch.cat(found).index_select(0, torch.cat(order).argsort())

    def _inside(self, asked: Tensor, inside: Tensor | None) -> Tensor:
        """Attention in each row [n, L, 3 D] to what is inside [n, L] bool, None for all of it -> [n, L, D]."""
        query, key, value = asked.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [n, H, L, D/H] each
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # [n, H, L, L]
        if inside is not None:
            scores = scores.masked_fill(~inside[:, None, None], -torch.inf)
        return (self.attention_drop(scores.softmax(-1)) @ value).transpose(1, 2).flatten(2)


def _alike(sizes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Sets of like size together: where their vectors stand [n, L], filled up with any, and which are theirs [n, L]."""
    first, largest, bound, below = sizes.cumsum(0) - sizes, int(sizes.max()), _SMALL, 0
    while below < largest:
        chosen = ((sizes > below) & (sizes <= bound)).nonzero().squeeze(-1)
        if len(chosen):
            own = sizes[chosen].unsqueeze(-1)  # [n, 1]
            places = torch.arange(int(own.max()), device=sizes.device)
            inside = places < own
            yield first[chosen].unsqueeze(-1) + places * inside, inside
        below, bound = bound, 2 * bound


def set_mean(x: Tensor, sizes: Tensor) -> Tensor:
    """Mean of each set; an empty one gives zero.

    Args:
        x: [S, D], set after set.
        sizes: [N].

    Returns:
        [N, D].
    """
    if len(x) and len(sizes) * int(sizes.max()) == len(x):   # all of one size, e.g. one visit: a plain mean is faster
        return x.view(len(sizes), -1, x.shape[-1]).mean(1)
    sums = x.new_zeros(len(sizes), x.shape[-1]).index_add(0, torch.repeat_interleave(sizes), x)
    return sums / sizes.clamp(min=1).unsqueeze(-1)


class SetEncoder(nn.Module):
    """Sets of ids to one vector each: embedding, `SetBlock`, mean. An empty set is the zero vector.

    Args:
        count: number of ids, 0 among them, which means none.
        width, heads, inner, dropout, attention_dropout: as `SetBlock`.
    """

    def __init__(self, count: int, width: int, heads: int, inner: int, dropout: float,
                 attention_dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, width, padding_idx=0)
        self.block = SetBlock(width, heads, inner, dropout, attention_dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [N, L], filled up with 0 -> [N, D]."""
        there = ids > 0
        sizes = there.sum(-1)
        return set_mean(self.block(self.embedding(ids[there]), sizes), sizes)
