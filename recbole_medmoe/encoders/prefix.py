"""Scoring with a shared prefix: how likely each of n continuations is after one text, which is read only once."""
from __future__ import annotations

import copy
import logging
from typing import Any, Literal, Sequence

import torch
from torch import Tensor

from .batches import token_batches
from .hardware import naming_memory

log = logging.getLogger("recbole_medmoe")


class PrefixScorer:
    """Log-likelihood of token sequences after a prefix, equal to what n whole prompts would give.

    The prefix runs once; its last state predicts every continuation's first token. Then the continuations run in
    batches over a copy of its keys and values, so that each batch starts from the prefix alone. Within a batch they are
    padded on the right, where no real token sees the padding. Prefix and continuation are token ids from two calls of
    the tokenizer, so that no token spans the seam and the same continuation has the same ids after every prefix; begin
    its text with the space that follows the prefix.

    A prefix that does not fit into the context together with the longest continuation loses tokens from its beginning,
    so that its end still leads into the continuation.

    Args:
        model: a causal language model of transformers with its head, frozen, in evaluation mode.
        normalise: ``sum`` of the tokens' log-likelihoods, or their ``mean``, which does not punish long continuations.
        batch_tokens: most tokens whose keys and values are held at once, those of the prefix counted for every
            continuation of a batch; also bounds the rows of logits. One continuation is the least.

    Attributes:
        cut: prefixes that lost their beginning so far.

    Example:
        >>> scorer = PrefixScorer(model)  # doctest: +SKIP
        >>> scorer.score(words("A fruit that is yellow is a"), [words(" banana"), words(" plum")])  # doctest: +SKIP
        tensor([-2.1, -7.9])
    """

    def __init__(self, model: Any, normalise: Literal["sum", "mean"] = "mean", batch_tokens: int = 4096) -> None:
        self.model, self.normalise, self.batch_tokens = model, normalise, batch_tokens
        self.context = getattr(model.config, "max_position_embeddings", None)
        self.cut = 0

    @torch.no_grad()
    def score(self, prefix: Sequence[int], continuations: Sequence[Sequence[int]]) -> Tensor:
        """Log-likelihoods of n continuations.

        Args:
            prefix: T token ids.
            continuations: n lists of token ids, of any lengths.

        Returns:
            [n] float32, on the model's device.

        Raises:
            ValueError: an empty prefix or continuation, none at all, or one that leaves the prefix no room.
            ConfigError: memory ran out.
        """
        lengths = [len(continuation) for continuation in continuations]
        prefix = self._fitting(list(prefix), lengths)
        found = torch.zeros(len(lengths), device=self.model.device)
        with naming_memory(self.model.device, self.batch_tokens):
            read = self.model(input_ids=torch.tensor([prefix], device=self.model.device), use_cache=True,
                              logits_to_keep=1)
            first = read.logits[0, -1].float().log_softmax(-1)  # [vocabulary]
            for batch in token_batches([len(prefix) + length for length in lengths], self.batch_tokens):
                found[batch] = self._batch(read.past_key_values, first, [continuations[row] for row in batch])
        return found / found.new_tensor(lengths) if self.normalise == "mean" else found

    def _fitting(self, prefix: list[int], lengths: list[int]) -> list[int]:
        """The prefix, or its end where the whole does not fit into the context."""
        if not prefix or not lengths or min(lengths) < 1:
            raise ValueError(f"a prefix of {len(prefix)} tokens and continuations of {lengths} tokens: each needs one")
        if self.context is None or len(prefix) + max(lengths) <= self.context:
            return prefix
        room = self.context - max(lengths)
        if room < 1:
            raise ValueError(f"a continuation of {max(lengths)} tokens fills the context of {self.context}")
        if not self.cut:
            log.warning("a prefix of %d tokens lost its beginning: the context takes %d beside the longest "
                        "continuation; further ones are counted, not told", len(prefix), room)
        self.cut += 1
        return prefix[-room:]

    def _batch(self, cache: Any, first: Tensor, rows: list[Sequence[int]]) -> Tensor:
        """Sums over the tokens of b continuations -> [b]; ``first`` [vocabulary] predicts their first token."""
        width = max(len(row) for row in rows)
        ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=first.device)  # [b, T]
        total = first[ids[:, 0]]
        if width == 1:
            return total
        own = copy.deepcopy(cache)  # a forward pass lengthens the cache that it is given
        own.batch_repeat_interleave(len(rows))
        logits = self.model(input_ids=ids[:, :-1], past_key_values=own, use_cache=True).logits.float()  # [b, T - 1, V]
        told = logits.gather(-1, ids[:, 1:, None]).squeeze(-1) - logits.logsumexp(-1)  # [b, T - 1]
        lengths = torch.tensor([len(row) for row in rows], device=first.device)
        real = torch.arange(1, width, device=first.device) < lengths[:, None]
        return total + told.masked_fill(~real, 0.0).sum(-1)
