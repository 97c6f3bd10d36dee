"""Scoring with a shared prefix: how likely each of n continuations is after one text, which is read only once."""
from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import ConfigError
from .batches import token_batches
from .halves import CausalHalves, Watch, routers_of, watched
from .hardware import naming_memory
from .packing import Row, Slots, Told, attention_mask, padded, runs, told_by
from .tokens import PADDING

_WIDEST = 512  # slots of a pass over cached keys; a wider one spends its time on what options do not see of each other
_LOGITS = 2 ** 26  # numbers that the head gives out at once, 256 MiB
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}  # of the largest logit
_COARSE = 0.05
_UNFIT = ("backbone of {}: options behind a shared prefix do not get what whole prompts would get, since it counts "
          "positions or hides tokens in a way of its own; use a model of the Llama kind (Llama, Mistral, Qwen)")

log = logging.getLogger("recbole_medmoe")


class PrefixScorer:
    """Log-likelihood of options after a prefix, equal to what one whole prompt for each would give.

    Options of a question stand side by side behind its prefix, and a mask keeps them apart (see `packing`). Prefix and
    option are token ids from two calls of the tokenizer, so that no token spans the seam and the same option has the
    same ids after every prefix; begin its text with the space that follows the prefix.

    A prefix that does not fit into the context together with its longest option loses tokens from its beginning, so
    that its end still leads into the option.

    Args:
        model: a causal language model of transformers with its head, also with peft adapters, or `CausalHalves`.
        normalise: ``sum`` of the tokens' log-likelihoods, or their ``mean``, which does not punish long options.
        batch_tokens: most tokens that run through the model at once, padding included; one option is the least. The
            keys and values of `score` are those of twice as many.
        setting: what a user calls ``batch_tokens``, to be lowered where memory runs out.

    Attributes:
        cut: different prefixes that lost their beginning so far.

    Raises:
        ConfigError: a model that does not take masks and positions as they are meant, proved on a few tokens.

    Example:
        >>> scorer = PrefixScorer(model)  # doctest: +SKIP
        >>> prefix = words.table(["A fruit that is yellow is a"])[0]  # doctest: +SKIP
        >>> scorer.score(prefix, names.table([" banana", " plum"])[0].unsqueeze(0))  # doctest: +SKIP
        tensor([[-2.1, -7.9]])
    """

    def __init__(self, model: Any, normalise: Literal["sum", "mean"] = "mean", batch_tokens: int = 4096,
                 setting: str = "encode_batch_tokens") -> None:
        self.model, self.normalise, self.batch_tokens, self.setting = model, normalise, batch_tokens, setting
        self.context = getattr(model.config, "max_position_embeddings", None)
        self._cut: set[int] = set()  # their hashes
        self._prove()

    @property
    def cut(self) -> int:
        """See above."""
        return len(self._cut)

    def __call__(self, prefixes: Tensor, options: Tensor, watch: Watch | None = None) -> Tensor:
        """Scores in one forward pass per chunk, prefix and options together, with gradients: for training.

        Works under gradient checkpointing, and, without that, with routers that choose for a whole prompt. A question
        whose options take more than a chunk has its prefix in each.

        Args:
            prefixes: [B, T] token ids of B questions, filled up with -1.
            options: [B, C, S] token ids of their options, filled up with -1; one without a token is none.
            watch: is told of the routers in each pass; tokens that ran before and padding do not count.

        Returns:
            [B, C] float32 on the model's device; 0 where there is no option.

        Raises:
            ValueError: an empty prefix, or an option that leaves its prefix no room.
            ConfigError: memory ran out.
        """
        rows = [row._replace(options=part, first=place == 0) for row in self._rows(prefixes, options)
                for place, part in enumerate(runs(row.options, min(self.batch_tokens - len(row.prefix), self._heads)))]
        found = torch.zeros(options.shape[:2], device=self.model.device)
        # A row counts by its length, or by its share of what the head may give out.
        lengths = [max(row.length, row.width * self.batch_tokens // self._heads) for row in rows]
        with naming_memory(self.model.device, self.batch_tokens, self.setting), self._reading(rows):
            for batch in token_batches(lengths, self.batch_tokens):
                some = [rows[place] for place in batch]
                slots = Slots.of_rows(some, self.model.device)
                widest = max(row.width for row in some)
                told = told_by(some, found.device)
                used, back = torch.unique(told.row * widest + _slots(told, some, widest), return_inverse=True)
                with _head_reads(self._net, used):
                    logits = self._run(some, self._inputs(some), slots, slots, watch, logits_to_keep=widest)[0].float()
                # Not by logsumexp: its way back goes over all numbers of the vocabulary more often.
                found = found + _sums(logits.log_softmax(-1)[back, told.token], told, found)
        return found / _lengths(options).to(found) if self.normalise == "mean" else found

    @torch.no_grad()
    def score(self, prefixes: Tensor, options: Tensor, watch: Watch | None = None) -> Tensor:
        """Scores without gradients: the prefixes once, then all options over their cached keys and values.

        What is cached is never copied for each option. Where routers choose for a whole prompt, which the cached part
        of it would not show them, it runs as `__call__` does.

        Args:
            prefixes, options, watch: as `__call__` takes them.

        Returns:
            [B, C] float32 on the model's device; 0 where there is no option.

        Raises:
            ValueError: as `__call__`; a model in training mode.
            ConfigError: memory ran out.
        """
        if self._net.training:
            raise ValueError("score() is for evaluation; call eval() on the model, or the scorer itself for training")
        if any(layer.spec.route == "sequence" for layer in routers_of(self._net)):
            return self(prefixes, options, watch)
        rows = self._rows(prefixes, options)
        found = torch.zeros(options.shape[:2], device=self.model.device)
        with naming_memory(self.model.device, self.batch_tokens, self.setting), self._reading(rows):
            for batch in token_batches([len(row.prefix) for row in rows], self.batch_tokens):
                found += self._over_cache([rows[place] for place in batch], found, watch)
        return found / _lengths(options).to(found) if self.normalise == "mean" else found

    def _over_cache(self, rows: list[Row], like: Tensor, watch: Watch | None) -> Tensor:
        """Sums of log-likelihoods of all options of some questions, in the shape of ``like``."""
        from transformers import DynamicCache

        before = Slots.of_prefixes(rows, self.model.device)
        cache = DynamicCache()  # without the configuration: it would drop what lies beyond a sliding window
        if len(before):
            heads = [row._replace(options=[]) for row in rows]
            inputs = [part[:-1] for part in self._inputs(heads)]
            self._run(heads, inputs, before, None, watch, logits_to_keep=1, past_key_values=cache)
        room = min(_WIDEST, self.batch_tokens // len(rows), self._heads // len(rows))
        parts = [runs(row.options, room) for row in rows]
        total = torch.zeros_like(like)
        for step in range(max(map(len, parts))):
            here = [place for place, run in enumerate(parts) if step < len(run)]
            some = [rows[place]._replace(options=parts[place][step], first=step == 0) for place in here]
            own, keys = _chosen(cache, before, here if len(here) < len(rows) else None)
            slots = Slots.of_options(some, like.device)
            inputs = [part[len(row.prefix) - 1:] for row, part in zip(some, self._inputs(some))]
            told = told_by(some, like.device)
            used, back = torch.unique(told.row * len(slots) + told.slot, return_inverse=True)
            with _head_reads(self._net, used):
                logits = self._run(some, inputs, slots, slots.behind(keys), watch, past_key_values=own)[0].float()
            total += _sums(logits[back, told.token] - logits.logsumexp(-1)[back], told, like)
        return total

    def _run(self, rows: Sequence[Row], inputs: Sequence[Tensor], slots: Slots, keys: Slots | None,
             watch: Watch | None, **options: Any) -> Tensor:
        """One forward pass -> logits [R, L, vocabulary]; without ``keys`` rows are plain ones, padded on the right."""
        net = self._net
        given: dict[str, Any] = {"use_cache": "past_key_values" in options, **options}
        name = "input_ids" if inputs[0].dim() == 1 else "inputs_embeds"
        given[name] = padded(inputs, keys is slots)
        if keys is not None:
            given["attention_mask"] = attention_mask(net.config, slots, keys, next(net.parameters()).dtype)
            given["position_ids"] = slots.position
        with watched(net, rows, slots, watch):
            logits: Tensor = net(**given).logits
        return logits

    @property
    def _net(self) -> Any:
        """What gives out logits."""
        return self.model.upper if isinstance(self.model, CausalHalves) else self.model

    @property
    def _heads(self) -> int:
        """Most slots that the head predicts from at once."""
        return max(1, _LOGITS // int(self._net.config.vocab_size))

    def _reading(self, rows: Sequence[Row]) -> AbstractContextManager[None]:
        """Around all `_inputs` of these rows."""
        return self.model.reading(rows, self.batch_tokens) if isinstance(self.model, CausalHalves) else nullcontext()

    def _inputs(self, rows: Sequence[Row]) -> list[Tensor]:
        """Of each row token ids [L], or states [L, D] from the lower half."""
        if isinstance(self.model, CausalHalves):
            return self.model.enter(rows)
        return [torch.tensor(row.ids, device=self.model.device) for row in rows]

    def _rows(self, prefixes: Tensor, options: Tensor) -> list[Row]:
        """Questions that have options."""
        rows = []
        for question, (prefix, own) in enumerate(zip(_real(prefixes), map(_real, options))):
            there = [(number, tokens) for number, tokens in enumerate(own) if tokens]
            if there:
                rows.append(Row(question, self._fitting(prefix, max(len(tokens) for _, tokens in there)), there))
        return rows

    def _fitting(self, prefix: list[int], longest: int) -> list[int]:
        """The prefix, or its end where it does not fit into the context beside the longest option."""
        if not prefix:
            raise ValueError("a prefix without a token: leave out rows that have none")
        if self.context is None or len(prefix) + longest <= self.context:
            return prefix
        room = self.context - longest
        if room < 1:
            raise ValueError(f"an option of {longest} tokens fills the context of {self.context}")
        if not self._cut:
            log.warning("a prefix of %d tokens lost its beginning: the context takes %d beside the longest option; "
                        "further ones are counted, not told", len(prefix), room)
        self._cut.add(hash(tuple(prefix)))
        return prefix[-room:]

    @torch.no_grad()
    def _prove(self) -> None:
        """Compares both ways with whole prompts."""
        net, was = self._net, self._net.training
        prefixes, options = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[[4, 5, 6], [7, 8, 9]]])
        whole = torch.zeros(1, 2, device=self.model.device)
        net.eval()
        try:
            rows = self._rows(prefixes, options)
            with self._reading(rows):
                for option in rows[0].options:
                    row = [Row(0, [0, 1, 2, 3], [option])]
                    logits = self._run(row, self._inputs(row), Slots.of_rows(row, whole.device), None, None)
                    whole += _likelihoods(logits, row, whole)
            found = torch.stack([self(prefixes, options), self.score(prefixes, options)])  # [2, 1, 2]
        except (IndexError, TypeError, ValueError) as fault:
            raise ConfigError([f"{_UNFIT.format(type(net).__name__)} ({type(fault).__name__})"]) from fault
        finally:
            net.train(was)
        count = 3 if self.normalise == "mean" else 1
        most = _TOLERANCE.get(logits.dtype, _COARSE) * float(whole.abs().max())
        if not torch.allclose(found * count, whole.expand_as(found), rtol=0.0, atol=most):
            raise ConfigError([_UNFIT.format(type(net).__name__)])


def _real(table: Tensor) -> list[list[int]]:
    """Rows [N, T] without their padding."""
    return [[token for token in row if token != PADDING] for row in table.tolist()]


def _lengths(options: Tensor) -> Tensor:
    """[B, C, S] -> tokens of each option [B, C], 1 where there is none."""
    return (options != PADDING).sum(-1).clamp(min=1)


def _chosen(cache: Any, slots: Slots, places: list[int] | None) -> tuple[Any, Slots]:
    """A cache that can be lengthened while the one given stays as it is, and its slots; of all rows or of some."""
    own = copy.copy(cache)
    own.layers = [copy.copy(layer) for layer in cache.layers]  # an update puts longer tensors in place of these
    if places is None:
        return own, slots
    rows = torch.tensor(places, device=slots.branch.device)
    own.batch_select_indices(rows)
    return own, Slots(slots.position[rows], slots.branch[rows], slots.counted[rows])


def _likelihoods(logits: Tensor, rows: Sequence[Row], like: Tensor) -> Tensor:
    """Sums over the tokens of each option, in the shape of ``like`` [B, C].

    Args:
        logits: [R, L, vocabulary], of the last L slots of rows padded on the left.
        rows: R rows.
        like: what the sums are put into.
    """
    told = told_by(rows, logits.device)
    slot, logits = _slots(told, rows, logits.shape[1]), logits.float()
    return _sums(logits[told.row, slot, told.token] - logits.logsumexp(-1)[told.row, slot], told, like)


def _slots(told: Told, rows: Sequence[Row], width: int) -> Tensor:
    """Where the tokens [N] stand among the last ``width`` slots of rows padded on the left."""
    widths = torch.tensor([row.width for row in rows], device=told.row.device)
    return told.slot + width - widths[told.row]


@contextmanager
def _head_reads(net: Any, places: Tensor) -> Iterator[None]:
    """Inside, the head predicts from these places alone, counted over rows [N], and gives out [1, N, vocabulary].

    Of a batch of options most slots are padding or belong to shorter rows, and the head is the dearest map of all.
    """
    handle = net.get_output_embeddings().register_forward_pre_hook(
        lambda _, inputs: (inputs[0].flatten(0, 1)[places].unsqueeze(0), *inputs[1:]))
    try:
        yield
    finally:
        handle.remove()


def _sums(each: Tensor, told: Told, like: Tensor) -> Tensor:
    """Log-likelihoods of N tokens [N], added up by option, in the shape of ``like`` [B, C]."""
    flat = torch.zeros(like.numel(), device=like.device).index_add(0, told.question * like.shape[1] + told.option, each)
    return flat.view_as(like)
