"""Greedy writing: what a language model continues prompts with, up to the end of the line."""
from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import torch

from ..errors import ConfigError
from .batches import token_batches
from .hardware import naming_memory
from .progress import meter

_LONG = 4  # batches from which on progress is shown


class Line(NamedTuple):
    """What was written after a prompt, and whether it came to its end before the most tokens did."""

    text: str
    ended: bool


class LineWriter:
    """Continues prompts by the likeliest token, again and again, until the line or the text ends.

    Prompts of like length run together, padded on the left and masked. In exact arithmetic a line does not depend on
    the prompts beside; where two tokens are equally likely but for rounding, it may.

    Args:
        tokenizer: of transformers.
        model: a causal language model of transformers with its head, frozen, in evaluation mode.
        max_new_tokens: most tokens per line.
        batch_tokens: most tokens whose keys and values are held at once, prompts, lines and padding.
        progress: see `progress.meter`.

    Example:
        >>> LineWriter(tokenizer, model, 16).write([tokenizer("Fruit:")["input_ids"]])  # doctest: +SKIP
        [Line(text=' apple; plum', ended=True)]
    """

    def __init__(self, tokenizer: Any, model: Any, max_new_tokens: int, batch_tokens: int = 4096,
                 progress: str | bool = "auto") -> None:
        self.tokenizer, self.model, self.max_new_tokens = tokenizer, model, max_new_tokens
        self.batch_tokens, self.progress = batch_tokens, progress
        stated = model.generation_config.eos_token_id
        self._ends = {*(stated if isinstance(stated, list) else [stated]), tokenizer.eos_token_id} - {None}
        texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
        self._stops = sorted({token for token, text in enumerate(texts) if "\n" in text} | self._ends)

    def write(self, prompts: Sequence[Sequence[int]]) -> list[Line]:
        """One line per prompt, in their order.

        Args:
            prompts: N lists of token ids.

        Raises:
            ConfigError: a prompt that leaves the context no room for ``max_new_tokens``, or memory that ran out.
        """
        longest = max(map(len, prompts), default=0)
        context = getattr(self.model.config, "max_position_embeddings", None)
        if context is not None and longest + self.max_new_tokens > context:
            raise ConfigError([f"a prompt of {longest} tokens and max_new_tokens {self.max_new_tokens} do not fit into "
                               f"the LLM's context of {context}; lower prompt_max_tokens or max_new_tokens"])
        lines: dict[int, Line] = {}
        batches = token_batches([len(prompt) + self.max_new_tokens for prompt in prompts], self.batch_tokens)
        progress = self.progress if len(batches) >= _LONG else False
        with meter("writing", len(prompts), "prompts", progress) as advance:
            for batch in batches:
                lines |= zip(batch, self._batch([prompts[row] for row in batch]))
                advance(len(batch))
        return [lines[row] for row in range(len(prompts))]

    @torch.no_grad()
    def _batch(self, prompts: list[Sequence[int]]) -> list[Line]:
        device, width = self.model.device, max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)  # [B, T]
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
        mask = (torch.arange(width, device=device) >= width - lengths[:, None]).to(torch.int64)
        # A caller's autocast would change what is written; and a model folder may ask for drawing by lot.
        with naming_memory(device, self.batch_tokens), torch.autocast(device.type, enabled=False):
            found = self.model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=self.max_new_tokens, do_sample=False, num_beams=1,
                temperature=None, top_p=None, top_k=None, repetition_penalty=1.0, no_repeat_ngram_size=0,
                eos_token_id=self._stops or None, pad_token_id=0)
        return [self._line(row) for row in found[:, width:].tolist()]

    def _line(self, ids: list[int]) -> Line:
        end = next((place for place, token in enumerate(ids) if token in self._ends), len(ids))
        text, newline, _ = self.tokenizer.decode(ids[:end], skip_special_tokens=True).partition("\n")
        return Line(text, bool(newline) or end < len(ids))
