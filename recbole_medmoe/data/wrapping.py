"""WrappedTokens: token ids of texts behind one of several templates, others for texts that training does not see."""
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Sequence

import numpy as np

from ..encoders import PADDING, PromptTokenizer
from ..encoders.tokens import tell_cut
from .requests import TokenSpec


class WrappedTokens:
    """What a `TokenSpec` asks for.

    Args:
        spec: templates and lengths.
        allow_download, cache: as `PromptTokenizer.load`.

    Attributes:
        truncated: texts of the last `table` that were longer than ``max_tokens``.
    """

    def __init__(self, spec: TokenSpec, *, allow_download: bool = False, cache: Path | None = None) -> None:
        self.spec, self.truncated = spec, 0
        first = PromptTokenizer.load(spec.backbone, spec.template, spec.max_tokens, spec.special,
                                     allow_download=allow_download, cache=cache)
        self._by_name = {name: PromptTokenizer(first.tokenizer, name, spec.max_tokens, spec.special, spec.keep)
                         for name in (spec.template, *spec.templates)}

    def template_of(self, text: str, seen: bool) -> str | None:
        """The template of a text: by its hash, so that it is the same wherever the text stands."""
        offered = self.spec.held_out if self.spec.held_out and not seen else (self.spec.template,
                                                                              *self.spec.paraphrases)
        return offered[int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % len(offered)]

    def prompts(self, texts: Sequence[str | None], seen: Sequence[bool]) -> list[str]:
        """Whole prompts, however long; empty where a text is absent."""
        told = []
        for text, known in zip(texts, seen):
            there = text is not None and bool(text.strip())
            told.append(self._by_name[self.template_of(text, known)].prompt(text) if text and there else "")
        return told

    def table(self, texts: Sequence[str | None], seen: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
        """Token ids as one table; one line in the log tells how many texts were cut behind all templates together.

        Args:
            texts: N texts; None or an empty one is absent.
            seen: whether training sees the text [N].

        Returns:
            As `PromptTokenizer.table`: ids [N, T] int64, filled up with -1, and presence [N] bool.

        Raises:
            DataError, ConfigError: as `PromptTokenizer.rows`.
        """
        names = np.array([self.template_of(text or "", known) for text, known in zip(texts, seen)], dtype=object)
        parts, self.truncated = [], 0
        for name in dict.fromkeys(names.tolist()):
            rows = np.array([place for place, chosen in enumerate(names) if chosen == name])
            tokenizer = self._by_name[name]
            parts.append((rows, *tokenizer.table([texts[row] for row in rows], tell=False)))
            self.truncated += tokenizer.truncated
        width = max([1, *(found.shape[1] for _, found, _ in parts)])
        ids: np.ndarray = np.full((len(texts), width), PADDING, dtype=np.int64)
        present: np.ndarray = np.zeros(len(texts), dtype=bool)
        for rows, found, there in parts:
            ids[rows, :found.shape[1]], present[rows] = found, there
        tell_cut(self.truncated, int(present.sum()), self.spec.max_tokens, self.spec.keep, self.spec.setting)
        return ids, present
