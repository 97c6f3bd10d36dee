"""A prefix and the options behind it as one row of tokens, in which no option sees another. Pure torch.

    slot      0  1  2 | 3  4  5  6  7      prefix a b c d, options "e f g" and "h i j"; an option's last token is only
    token     a  b  c | d  e  f  h  i      predicted, never read; d predicts the first token of both
    position  0  1  2 | 3  4  5  4  5
    branch    0  0  0 | 0  1  1  2  2      a token sees branch 0 and its own, up to its own position

The mask makes of each option what a row of its own would make of it. That a model takes mask and positions as they are
meant is proved by `PrefixScorer`.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import ConfigError

Option = tuple[int, list[int]]
"""Number among the question's options, and token ids."""


class Row(NamedTuple):
    """One prefix and some of its options.

    Args:
        question: number of the question in its batch.
        prefix: token ids, at least one.
        options: those that are scored here.
        first: whether nothing of the prefix was run for this question before.
    """

    question: int
    prefix: list[int]
    options: list[Option]
    first: bool = True

    @property
    def ids(self) -> list[int]:
        """Token ids that are read, prefix first."""
        return self.prefix + [token for _, tokens in self.options for token in tokens[:-1]]

    @property
    def width(self) -> int:
        """Tokens that are read behind the prefix, its last one among them."""
        return 1 + sum(len(tokens) - 1 for _, tokens in self.options)

    @property
    def length(self) -> int:
        """Tokens that are read in all."""
        return len(self.prefix) - 1 + self.width


@dataclass(frozen=True)
class Slots:
    """Where R rows of L tokens stand; padding has branch -1.

    Args:
        position: [R, L], place in the prompt that the token is part of.
        branch: [R, L], see above.
        counted: [R, L] bool, tokens that were not run before.
    """

    position: Tensor
    branch: Tensor
    counted: Tensor

    def __len__(self) -> int:
        return self.branch.shape[1]

    @classmethod
    def of_prefixes(cls, rows: Sequence[Row], device: torch.device) -> Slots:
        """Prefixes without their last tokens, padded on the right."""
        return cls._of([_prefix_slots(row) for row in rows], False, device)

    @classmethod
    def of_options(cls, rows: Sequence[Row], device: torch.device) -> Slots:
        """Last tokens of the prefixes and the options behind them, padded on the right."""
        return cls._of([_option_slots(row) for row in rows], False, device)

    @classmethod
    def of_rows(cls, rows: Sequence[Row], device: torch.device) -> Slots:
        """Both, padded on the left, so that options end where the rows end."""
        return cls._of([_prefix_slots(row) + _option_slots(row) for row in rows], True, device)

    @classmethod
    def _of(cls, rows: Sequence[list[tuple[int, int, bool]]], left: bool, device: torch.device) -> Slots:
        tables = [torch.tensor(row, dtype=torch.int64).view(-1, 3) for row in rows]
        position, branch, counted = padded(tables, left, (0, -1, 0)).to(device).unbind(-1)
        return cls(position, branch, counted.bool())

    def behind(self, before: Slots) -> Slots:
        """What these see: what stands before them, and themselves."""
        return Slots(torch.cat([before.position, self.position], dim=1),
                     torch.cat([before.branch, self.branch], dim=1),
                     torch.cat([before.counted, self.counted], dim=1))

    def visible(self, keys: Slots, window: int | None = None) -> Tensor:
        """Which of K keys each of L tokens sees; padding sees the first token, so that no token sees nothing.

        Args:
            keys: of the same rows.
            window: tokens that see only as many positions back, their own counted.

        Returns:
            [R, 1, L, K] bool.
        """
        own, other = self.branch.unsqueeze(2), keys.branch.unsqueeze(1)
        here, there = self.position.unsqueeze(2), keys.position.unsqueeze(1)
        seen = ((other == 0) | ((other == own) & (other > 0))) & (there <= here)
        if window is not None:
            seen &= here - there < window
        return seen.unsqueeze(1)


class Told(NamedTuple):
    """N tokens whose likelihood is asked for: row, place among that row's option slots, token id, question, option."""

    row: Tensor
    slot: Tensor
    token: Tensor
    question: Tensor
    option: Tensor


def told_by(rows: Sequence[Row], device: torch.device) -> Told:
    """Which slot of `Slots.of_options` predicts which token of which option."""
    found: list[tuple[int, int, int, int, int]] = []
    for number, row in enumerate(rows):
        last = 0
        for option, tokens in row.options:
            before = [0, *range(last + 1, last + len(tokens))]  # the prefix's last token predicts the first one
            found += [(number, slot, token, row.question, option) for slot, token in zip(before, tokens)]
            last += len(tokens) - 1
    return Told(*torch.tensor(found, dtype=torch.int64, device=device).unbind(1))


def attention_mask(config: Any, tokens: Slots, keys: Slots, dtype: torch.dtype) -> Tensor | dict[str, Tensor]:
    """What a transformers model takes so that tokens see what they should.

    Args:
        config: the model's.
        tokens: what runs.
        keys: what it may see, see `Slots.visible`.
        dtype: number format of the states, for attention that adds its mask.

    Returns:
        [R, 1, L, K], bool or 0 and a very small number; one for each kind of layer where there are several.

    Raises:
        ConfigError: attention that takes no such mask.
    """
    kinds, how = set(getattr(config, "layer_types", None) or ()), config._attn_implementation
    other = sorted(kinds - {"full_attention", "sliding_attention"})
    if other or "local" in getattr(config, "attention_layers", ()):
        raise ConfigError([f"backbone of kind {config.model_type}: options cannot share a prefix in layers of "
                           f"{', '.join(other) or 'local attention'}; use a model of the Llama kind"])
    if how not in ("sdpa", "eager"):
        raise ConfigError([f"attention '{how}' takes no mask that lets options share a prefix; load the backbone with "
                           "attn_implementation 'sdpa'"])
    window = None if kinds == {"full_attention"} else getattr(config, "sliding_window", None)
    masks = {"sliding_attention": tokens.visible(keys, window)}
    if len(kinds) > 1:
        masks["full_attention"] = tokens.visible(keys)
    if how == "eager":
        least = torch.finfo(dtype).min
        masks = {name: torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, least) for name, mask in masks.items()}
    return masks if len(masks) > 1 else masks["sliding_attention"]


def padded(rows: Sequence[Tensor], left: bool, fill: Sequence[int] | int = 0) -> Tensor:
    """Tensors [l, ...] of any lengths as one [R, L, ...]; ``fill`` has one value, or one for each of the last axis."""
    longest = max(len(row) for row in rows)
    table = rows[0].new_empty(len(rows), longest, *rows[0].shape[1:])
    table[:] = torch.tensor(fill, dtype=table.dtype, device=table.device)
    for number, row in enumerate(rows):
        table[number, longest - len(row) if left else 0:longest if left else len(row)] = row
    return table


def runs(options: Sequence[Option], width: int) -> list[list[Option]]:
    """Cuts options into runs that take at most ``width`` slots, or one option where that alone takes more."""
    found: list[list[Option]] = [[]]
    taken = 1
    for option in options:
        more = len(option[1]) - 1
        if found[-1] and taken + more > width:
            found.append([])
            taken = 1
        found[-1].append(option)
        taken += more
    return found


def _prefix_slots(row: Row) -> list[tuple[int, int, bool]]:
    return [(place, 0, row.first) for place in range(len(row.prefix) - 1)]


def _option_slots(row: Row) -> list[tuple[int, int, bool]]:
    last = len(row.prefix) - 1
    found = [(last, 0, row.first)]
    for branch, (_, tokens) in enumerate(row.options, start=1):
        found += [(last + place, branch, True) for place in range(1, len(tokens))]
    return found
