"""Texts to the token ids of their prompts: what is too long loses part of its text, never the template's words."""
from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal, Sequence

import numpy as np

from ..errors import ConfigError, DataError
from .backbones import resolve_backbone
from .gguf import converted_folder
from .loading import load_tokenizer
from .prompts import load_template, text_fields

PADDING = -1  # in tables of token ids; no token has it
_TOKENIZE = 1024  # texts per call of the tokenizer

log = logging.getLogger("recbole_medmoe")


class PromptTokenizer:
    """A backbone's tokenizer behind a prompt template.

    Args:
        tokenizer: of transformers.
        template: see `EncoderSpec`.
        max_tokens: longest prompt in tokens.
        special: with the tokenizer's own tokens, such as the one that begins a text; a continuation has none.
        keep: what stays of a text that is too long: its ``start``, or its ``end``, where a question asks.

    Attributes:
        truncated: texts of the last `rows` that were longer than ``max_tokens``.

    Example:
        >>> words = PromptTokenizer.load("smollm2-135m", "food_item", 64)  # doctest: +SKIP
        >>> words.table(["Banana. A ripe fruit.", None])[1].tolist()  # doctest: +SKIP
        [True, False]
    """

    def __init__(self, tokenizer: Any, template: str | None, max_tokens: int, special: bool = True,
                 keep: Literal["start", "end"] = "start") -> None:
        self.tokenizer, self.name, self.max_tokens, self.special = tokenizer, template, max_tokens, special
        self.keep = keep
        self.template = load_template(template) if template is not None else None
        self.truncated = 0

    @classmethod
    def load(cls, backbone: str, template: str | None, max_tokens: int, special: bool = True, *,
             allow_download: bool = False, cache: Path | None = None) -> PromptTokenizer:
        """The tokenizer of a backbone by name; its weights are not read, but a GGUF file is converted.

        Raises:
            ConfigError, MissingPackageError: as `resolve_backbone`, or a backbone that reads no text.
        """
        found = resolve_backbone(backbone, allow_download)
        if found.kind == "image":
            raise ConfigError([f"backbone '{backbone}' reads pictures and is asked for tokens"])
        return cls(load_tokenizer(converted_folder(found, cache)), template, max_tokens, special)

    def rows(self, texts: Sequence[str], tell: bool = True) -> list[np.ndarray]:
        """Token ids of N prompts, int32 [T] each.

        Args:
            texts: N texts.
            tell: in the log how many were cut.

        Raises:
            DataError: a text without a single token (its number is named, never its content).
            ConfigError: the template alone fills ``max_tokens``.
        """
        rows: list[np.ndarray] = []
        self.truncated = 0
        for start in range(0, len(texts), _TOKENIZE):
            part = texts[start:start + _TOKENIZE]
            for text, ids in zip(part, self.ids([self.prompt(text) for text in part])):
                if len(ids) > self.max_tokens:
                    ids = self._cut(text)
                    self.truncated += 1
                if not ids:
                    raise DataError(f"text number {len(rows) + 1} of {len(texts)} has no token")
                rows.append(np.array(ids, dtype=np.int32))
        if tell:
            tell_cut(self.truncated, len(texts), self.max_tokens, self.keep)
        return rows

    def table(self, texts: Sequence[str | None], tell: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Token ids as one table.

        Args:
            texts: N texts; None or an empty one is absent.
            tell: as `rows`.

        Returns:
            Ids [N, T] int64, filled up with -1 on the right and all -1 where absent, T of the longest prompt and at
            least 1; presence [N] bool.

        Raises:
            DataError, ConfigError: as `rows`.
        """
        there = [text for text in texts if text is not None and text.strip()]
        present: np.ndarray = np.array([text is not None and bool(text.strip()) for text in texts], dtype=bool)
        rows = self.rows(there, tell)
        ids: np.ndarray = np.full((len(texts), max([1, *map(len, rows)])), PADDING, dtype=np.int64)
        for place, row in zip(np.flatnonzero(present), rows):
            ids[place, :len(row)] = row
        return ids, present

    def prompt(self, text: str) -> str:
        """The text behind its template, however long."""
        return self.template.render(text_fields(text)) if self.template is not None else text

    def ids(self, prompts: Sequence[str]) -> list[list[int]]:
        """Token ids of prompts that are already made, however long."""
        told = self.tokenizer(list(prompts), add_special_tokens=self.special, truncation=False, verbose=False)
        return told["input_ids"]

    def _cut(self, text: str) -> list[int]:
        """Tokens of the longest part of a text whose whole prompt fits: the template's words are never cut."""
        low, high = 0, len(text)
        fits = self.ids([self.prompt("")])[0]
        if len(fits) >= self.max_tokens:
            raise ConfigError([f"max_tokens {self.max_tokens}: template '{self.name}' alone has {len(fits)} tokens"])
        while high - low > 1:
            middle = (low + high) // 2
            part = text[:middle] if self.keep == "start" else text[len(text) - middle:]
            ids = self.ids([self.prompt(part)])[0]
            if len(ids) <= self.max_tokens:
                low, fits = middle, ids
            else:
                high = middle
        return fits


def tell_cut(cut: int, prompts: int, max_tokens: int, keep: str, setting: str = "max_tokens") -> None:
    """One line in the log on how many of some prompts were cut; none where none was.

    Args:
        cut, prompts: how many of how many.
        max_tokens: longest prompt in tokens.
        keep: see `PromptTokenizer`.
        setting: what a user calls ``max_tokens``.
    """
    if cut:
        log.warning("%s of %s prompts were longer than %s (%d) and lost their %s", f"{cut:,}", f"{prompts:,}", setting,
                    max_tokens, "end" if keep == "start" else "beginning")
