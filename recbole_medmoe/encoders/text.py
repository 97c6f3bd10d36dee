"""Texts to vectors by a frozen encoder or language model, in length-bucketed batches."""
from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
import torch

from ..errors import ConfigError, DataError
from .backbones import resolve_backbone
from .batches import token_batches
from .gguf import converted_folder
from .hardware import compute_dtype, naming_memory
from .loading import load_backbone
from .progress import meter
from .readout import Readout
from .spec import READOUTS, EncoderSpec
from .tokens import PromptTokenizer


class TextEncoder:
    """A loaded frozen text encoder; load it once, encode as often as needed.

    Args:
        spec: what to compute.
        device: where.
        allow_download: see `resolve_backbone`.
        cache: folder of converted backbones; None is `paths.cache_dir()`.

    Attributes:
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
        self.dtype = compute_dtype(self.device)
        tokenizer, self.model = load_backbone(converted_folder(backbone, cache), self.device, self.dtype)
        self.prompts = PromptTokenizer(tokenizer, spec.template, spec.max_tokens)
        self.padding = tokenizer.pad_token_id or 0
        limit = getattr(self.model.config, "max_position_embeddings", None)
        if limit is not None and spec.max_tokens > limit:
            raise ConfigError([f"max_tokens {spec.max_tokens}: backbone '{spec.backbone}' takes at most {limit}"])
        self.readout = Readout(self.model, spec.readout, spec.layers)

    @property
    def truncated(self) -> int:
        """Texts of the last `encode` that were longer than ``spec.max_tokens``."""
        return self.prompts.truncated

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
        rows = self.prompts.rows(texts)
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
        ids: np.ndarray = np.full((len(rows), width), self.padding, dtype=np.int64)
        mask: np.ndarray = np.zeros((len(rows), width), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, :len(row)] = row
            mask[place, :len(row)] = 1
        with naming_memory(self.device, batch_tokens):
            vectors = self.readout(torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device))
        return vectors.float().cpu().numpy()


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
