"""Texts to vectors by a frozen encoder or language model, in length-bucketed batches."""
from __future__ import annotations

import logging
from pathlib import Path
from typing import Sequence

import numpy as np
import torch

from ..errors import ConfigError, DataError
from .backbones import resolve_backbone
from .batches import token_batches
from .gguf import converted_folder
from .hardware import compute_dtype
from .loading import load_backbone
from .progress import meter
from .prompts import load_template
from .readout import Readout
from .spec import READOUTS, EncoderSpec

_TOKENIZE = 1024  # texts per call of the tokenizer

log = logging.getLogger("recbole_medmoe")


class TextEncoder:
    """A loaded frozen text encoder; load it once, encode as often as needed.

    Args:
        spec: what to compute.
        device: where.
        allow_download: see `resolve_backbone`.
        cache: folder of converted backbones; None is `paths.cache_dir()`.

    Attributes:
        truncated: texts of the last `encode` that were longer than ``spec.max_tokens``.
        dtype: number format of the computation.

    Raises:
        ConfigError, MissingPackageError: the backbone is not there, or cannot do what the specification asks.
    """

    def __init__(self, spec: EncoderSpec, *, device: str | torch.device = "cpu", allow_download: bool = False,
                 cache: Path | None = None) -> None:
        backbone = resolve_backbone(spec.backbone, allow_download)
        if spec.modality != "text" or backbone.kind not in ("llm", "text"):
            raise ConfigError([f"backbone '{spec.backbone}' encodes {backbone.kind} and is asked for {spec.modality}"])
        if spec.readout not in READOUTS[backbone.kind]:
            raise ConfigError([f"read-out '{spec.readout}' of backbone '{spec.backbone}': this encoder reads both "
                               f"ways; use {', '.join(READOUTS[backbone.kind])}"])
        self.spec, self.device = spec, torch.device(device)
        self.template = load_template(spec.template) if spec.template is not None else None
        self.dtype = compute_dtype(self.device)
        self.tokenizer, self.model = load_backbone(converted_folder(backbone, cache), self.device, self.dtype)
        limit = getattr(self.model.config, "max_position_embeddings", None)
        if limit is not None and spec.max_tokens > limit:
            raise ConfigError([f"max_tokens {spec.max_tokens}: backbone '{spec.backbone}' takes at most {limit}"])
        self.readout = Readout(self.model, spec.readout, spec.layers)
        self.truncated = 0

    def encode(self, texts: Sequence[str], *, batch_tokens: int = 4096, progress: str | bool = "auto") -> np.ndarray:
        """Encodes N texts.

        Args:
            texts: N raw texts; the template is put around them here.
            batch_tokens: most tokens per batch, padding included.
            progress: see `progress.meter`.

        Returns:
            [N, D] float32, in the order of the texts.

        Raises:
            DataError: a text without a single token (its number is named, never its content).
            ConfigError: the template alone fills ``max_tokens``, or memory ran out.
        """
        if not texts:
            raise DataError("nothing to encode: no text was given")
        rows = self._tokenize(texts)
        lengths = [len(row) for row in rows]
        found: np.ndarray | None = None
        with meter(f"encoding with {self.spec.label}", sum(lengths), "tokens", progress) as advance:
            for batch in token_batches(lengths, batch_tokens):
                vectors = self._run([rows[row] for row in batch], batch_tokens)
                if found is None:
                    found = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
                found[batch] = vectors
                advance(sum(lengths[row] for row in batch))
        assert found is not None
        return found

    def _run(self, rows: list[np.ndarray], batch_tokens: int) -> np.ndarray:
        """One batch [B, T], padded on the right: no token sees the padding, and positions stay."""
        width = max(len(row) for row in rows)
        pad = self.tokenizer.pad_token_id or 0
        ids: np.ndarray = np.full((len(rows), width), pad, dtype=np.int64)
        mask: np.ndarray = np.zeros((len(rows), width), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, :len(row)] = row
            mask[place, :len(row)] = 1
        try:
            vectors = self.readout(torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device))
        except RuntimeError as fault:
            if not isinstance(fault, torch.OutOfMemoryError) and "allocate memory" not in str(fault):
                raise
            raise ConfigError([f"memory of {self.device} ran out on a batch of {batch_tokens} tokens; "
                               "lower --encode_batch_tokens"]) from fault
        return vectors.float().cpu().numpy()

    def _prompt(self, text: str) -> str:
        return self.template.render({"text": text}) if self.template is not None else text

    def _ids(self, prompts: Sequence[str]) -> list[list[int]]:
        return self.tokenizer(list(prompts), add_special_tokens=True, truncation=False, verbose=False)["input_ids"]

    def _tokenize(self, texts: Sequence[str]) -> list[np.ndarray]:
        rows: list[np.ndarray] = []
        self.truncated = 0
        for start in range(0, len(texts), _TOKENIZE):
            part = texts[start:start + _TOKENIZE]
            for text, ids in zip(part, self._ids([self._prompt(text) for text in part])):
                if len(ids) > self.spec.max_tokens:
                    ids = self._cut(text)
                    self.truncated += 1
                if not ids:
                    raise DataError(f"text number {len(rows) + 1} of {len(texts)} has no token")
                rows.append(np.array(ids, dtype=np.int32))
        if self.truncated:
            log.warning("%d of %d texts were longer than max_tokens %d and lost their end", self.truncated, len(texts),
                        self.spec.max_tokens)
        return rows

    def _cut(self, text: str) -> list[int]:
        """Tokens of the longest beginning of a text whose whole prompt fits: the template's words are never cut."""
        low, high = 0, len(text)
        fits = self._ids([self._prompt("")])[0]
        if len(fits) >= self.spec.max_tokens:
            raise ConfigError([f"max_tokens {self.spec.max_tokens}: template '{self.spec.template}' alone has "
                               f"{len(fits)} tokens"])
        while high - low > 1:
            middle = (low + high) // 2
            ids = self._ids([self._prompt(text[:middle])])[0]
            if len(ids) <= self.spec.max_tokens:
                low, fits = middle, ids
            else:
                high = middle
        return fits


def encode_texts(spec: EncoderSpec, texts: Sequence[str], *, device: str | torch.device = "cpu",
                 batch_tokens: int = 4096, progress: str | bool = "auto", allow_download: bool = False,
                 cache: Path | None = None) -> np.ndarray:
    """Loads the encoder of ``spec`` and encodes N texts -> [N, D] float32; see `TextEncoder`.

    Example:
        >>> spec = EncoderSpec("text", "minilm-l6", "mean")  # doctest: +SKIP
        >>> encode_texts(spec, ["ripe banana"]).shape  # doctest: +SKIP
        (1, 384)
    """
    encoder = TextEncoder(spec, device=device, allow_download=allow_download, cache=cache)
    return encoder.encode(texts, batch_tokens=batch_tokens, progress=progress)
