"""A frozen language model that reads vectors of others' making among its own tokens.

Every prompt begins with the same words. Its other texts (titles, a user's words, the question) are read by the lower
blocks each by itself, after these words, once; the upper blocks read whole prompts, in which soft tokens stand among
the states of the texts. With all blocks above the cut the lower half is the embedding table, and the whole is the
language model as it is; with a cut, texts of one prompt know of each other only above it, which is what allows to keep
them (as parallel contexts do: Ratner et al., https://arxiv.org/abs/2212.10947).
"""
from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..errors import ConfigError
from .batches import token_batches
from .readout import blocks_of, captured
from .split import SplitBackbone


class SoftPromptBackbone(nn.Module):
    """Both halves of a causal backbone behind a constant beginning, whose keys and values are computed once.

    Args:
        halves: the backbone, cut where soft tokens enter.
        beginning: P token ids of the words that every prompt begins with.
        batch_tokens: most tokens that run at once, padding included.
        head: what turns states into logits of the next token, frozen; None where none is asked for.

    Attributes:
        length: average length of a token's state where soft tokens enter.
        width: W.
        prompts: prompts that the upper half has read so far.

    Raises:
        ConfigError: no beginning, or a backbone without a table of token embeddings.
    """

    def __init__(self, halves: SplitBackbone, beginning: Sequence[int], batch_tokens: int,
                 head: nn.Module | None = None) -> None:
        super().__init__()
        if not len(beginning):
            raise ConfigError(["prompt: the template must begin with words, before its first place"])
        self.halves, self.head, self.batch_tokens = halves, head, batch_tokens
        self.beginning, self.width = list(beginning), halves.width
        self.prompts = 0
        self._texts: dict[bytes, Tensor] = {}
        self._below: Any = None
        self._above: tuple[torch.device, Any] | None = None
        self.is_tuned = any(weight.requires_grad for weight in halves.parameters())
        first = self._begin_below()
        self.register_buffer("begun", first, persistent=False)  # [P, W]
        # The first token of a text collects attention and is many times as long as the others.
        self.length = float((first[1:] if len(first) > 1 else first).float().norm(dim=-1).mean())

    def train(self, mode: bool = True) -> SoftPromptBackbone:
        """As in torch, but a frozen model stays in evaluation: it drops nothing, and what is kept of it holds."""
        super().train(mode)
        self.halves.train(mode and self.is_tuned)
        return self

    @torch.no_grad()
    def texts(self, rows: Sequence[Tensor], keep: bool = True) -> list[Tensor]:
        """What the lower half makes of N texts, each after the beginning.

        Args:
            rows: token ids [T] each, at least one; on the CPU.
            keep: what it makes of a text is kept, so that each is read once; else all are read now.

        Returns:
            N states [T, W] in the lower half's number format.
        """
        keys = [row.numpy().tobytes() for row in rows]
        kept = self._texts if keep else {}
        new = list({key: row for key, row in zip(keys, rows) if key not in kept}.items())
        lengths = [len(self.beginning) + len(row) for _, row in new]
        for batch in token_batches(lengths, self.batch_tokens):
            states = self._read_below([new[place][1] for place in batch])
            for place, state in zip(batch, states):
                kept[new[place][0]] = state[:len(new[place][1])].clone()
        return [kept[key] for key in keys]

    def read(self, states: Tensor, mask: Tensor) -> Tensor:
        """Runs the upper half over B prompts, after the beginning.

        Args:
            states: [B, T, W], states of texts and soft tokens; carries gradients.
            mask: [B, T] bool, padded on the right.

        Returns:
            States of the last layer [B, T, W].
        """
        self.prompts += len(states)
        return self._run(states, mask, _repeated(self._begin_above(), self.halves.upper.config, len(states)))

    @torch.no_grad()
    def follow(self, states: Tensor, texts: Sequence[Tensor]) -> Tensor:
        """Mean log-likelihood of each of n texts after one prompt, which is read once.

        Args:
            states: [T, W] of the prompt.
            texts: n token ids [T] each, on the CPU.

        Returns:
            [n] float32.
        """
        self.prompts += 1
        past = _repeated(self._begin_above(), self.halves.upper.config, 1)
        ones = torch.ones(1, len(states), dtype=torch.bool, device=states.device)
        last = self._run(states.unsqueeze(0), ones, past)[:, -1]  # [1, W]
        found = torch.zeros(len(texts), device=states.device)
        length = len(self.beginning) + len(states)
        for batch in token_batches([length + len(row) for row in texts], self.batch_tokens):
            rows = [texts[place] for place in batch]
            own = _repeated(past, self.halves.upper.config, len(rows))
            inner = pad_sequence(self.texts(rows), batch_first=True)  # [n, T, W]
            ids = pad_sequence(list(rows), batch_first=True, padding_value=-1).to(states.device)  # [n, T]
            after = self._run(inner, ids >= 0, own)
            told = self.log_likelihood(torch.cat([last.expand(len(rows), 1, -1), after[:, :-1]], dim=1), ids)
            found[batch] = told.sum(-1) / (ids >= 0).sum(-1)
        return found

    def log_likelihood(self, states: Tensor, ids: Tensor) -> Tensor:
        """How likely each token is.

        Args:
            states: [..., W] of the last layer, each at the token before.
            ids: [...], -1 where there is none.

        Returns:
            [...] float32; 0 where there is none.
        """
        assert self.head is not None, "built without a head"
        with self._own_format(states.device):
            logits = self.head(states.to(next(self.head.parameters()).dtype)).float()
        told = logits.gather(-1, ids.clamp(min=0).unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)
        return told.masked_fill(ids < 0, 0.0)

    def _run(self, states: Tensor, mask: Tensor, past: Any) -> Tensor:
        done = past.get_seq_length()
        places = torch.arange(done, done + states.shape[1], device=states.device).unsqueeze(0)
        whole = torch.cat([mask.new_ones(len(mask), done), mask], dim=1).to(torch.int64)
        with self._own_format(states.device):
            return self.halves.upper(inputs_embeds=states.to(self.halves.dtype), attention_mask=whole,
                                     position_ids=places, past_key_values=past, use_cache=True).last_hidden_state

    def _own_format(self, device: torch.device) -> Any:
        """A frozen model computes in its own number format: kept keys and values have no other."""
        return nullcontext() if self.is_tuned else torch.autocast(device.type, enabled=False)

    def _begin_above(self) -> Any:
        """Keys and values of the beginning in the upper half, [1, ...] per block; adapters change them, so that they
        are kept only where nothing is tuned."""
        device = self.begun.device
        if self._above is not None and self._above[0] == device and not self.is_tuned:
            return self._above[1]
        with torch.set_grad_enabled(self.is_tuned and torch.is_grad_enabled()), self._own_format(device):
            begun = self.begun.unsqueeze(0).to(self.halves.dtype)
            kept = self.halves.upper(inputs_embeds=begun, use_cache=True).past_key_values
        self._above = None if self.is_tuned else (device, kept)
        return kept

    @torch.no_grad()
    def _begin_below(self) -> Tensor:
        """Runs the beginning through the lower half, and keeps its keys and values there -> states [P, W]."""
        ids = torch.tensor([self.beginning], device=self.halves.device)
        if not self.halves.cut:
            return self.halves.lower(ids)[0]
        with self._last_of_lower() as found:
            self._below = self.halves.lower(input_ids=ids, use_cache=True).past_key_values
        return found[0][0]

    def _read_below(self, rows: list[Tensor]) -> Tensor:
        """States [N, T, W] of texts after the beginning."""
        ids = pad_sequence(rows, batch_first=True).to(self.halves.device)  # [N, T]
        if not self.halves.cut:
            return self.halves.lower(ids)
        if self._below.layers[0].keys.device != ids.device:
            self._begin_below()
        past = _repeated(self._below, self.halves.lower.config, len(rows))
        with self._last_of_lower() as found, torch.autocast(ids.device.type, enabled=False):
            self.halves.lower(input_ids=ids, past_key_values=past, use_cache=True)
        return found[0]

    def _last_of_lower(self) -> Any:
        return captured({0: blocks_of(self.halves.lower, self.halves.cut)[-1]}, lambda states: states)


def _repeated(cache: Any, config: Any, count: int) -> Any:
    """A copy of keys and values for ``count`` rows; a pass lengthens the cache that it is given."""
    from transformers import DynamicCache

    rows = [(layer.keys.expand(count, *layer.keys.shape[1:]), layer.values.expand(count, *layer.values.shape[1:]))
            for layer in cache.layers]
    return DynamicCache(rows, config=copy.copy(config))
