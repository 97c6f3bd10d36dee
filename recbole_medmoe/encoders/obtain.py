"""Where features come from: shipped with the data set, else the cache, else encoded now."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from ..errors import FeatureBankError
from .backbones import backbone_sha256
from .bank import FeatureBank, content_hash
from .prompts import load_template
from .spec import EncoderSpec

_LEAST_COSINE = 0.99
_FEW = 8  # below this many rows a bank has no spread to compare in
_ENOUGH = 2000  # rows that tell the spread well enough, however large the bank


def bank_name(side: str, spec: EncoderSpec) -> str:
    """File name of a shipped bank without its ending, e.g. ``user.text.minilm-l6-mean``."""
    return f"{side}.{spec.modality}.{spec.slug}"


def encoder_key(spec: EncoderSpec, allow_download: bool = False) -> dict[str, Any]:
    """`EncoderSpec.key` with the hashes of the backbone and the template filled in."""
    template = load_template(spec.template).sha256 if spec.template is not None else None
    return spec.key(backbone_sha256(spec.backbone, allow_download), template)


def obtain_bank(side: str, spec: EncoderSpec, contents: Mapping[str, str | Path], *, shipped: Path | None, cache: Path,
                reencode: bool = False, device: Any = "cpu", batch_tokens: int = 4096, progress: str | bool = "auto",
                allow_download: bool = False, notes: Mapping[str, Any] | None = None) -> FeatureBank:
    """Features of every token in ``contents``.

    Args:
        side: ``user`` or ``item``.
        spec: the encoder.
        contents: text or picture file per token; an empty text counts as absent.
        shipped: folder of the banks that ship with the data set. A bank there must be of this encoder and this content.
        cache: folder of caches; banks lie in its ``features/``, named by encoder and content.
        reencode: pass over the shipped and the cached bank and encode everything now.
        device, batch_tokens, progress, allow_download: see `TextEncoder`.
        notes: plain values to store with a bank that is encoded now, e.g. ``derived_from_credentialed``.

    Raises:
        FeatureBankError: a shipped bank of other content or of another encoder, or a damaged one.
        ConfigError, MissingPackageError, DataError: the encoder or a picture is not as it should be.
    """
    key = encoder_key(spec, allow_download)
    hashes = {token: content_hash(content) for token, content in contents.items()}
    name = bank_name(side, spec)
    if shipped is not None and not reencode:
        file = shipped / f"{name}.safetensors"
        if file.is_file():
            bank = FeatureBank.load(file)
            bank.check(key=key, contents=hashes, place=f"feature bank {file}")
            return bank
    whole = json.dumps([key, sorted(hashes.items())], sort_keys=True)
    file = cache / "features" / f"{name}.{hashlib.sha256(whole.encode()).hexdigest()[:16]}.safetensors"
    if file.is_file() and not reencode:
        bank = FeatureBank.load(file)
        bank.check(key=key, contents=hashes, place=f"feature bank {file}")
        return bank
    bank = encode_bank(spec, contents, key=key, hashes=hashes, device=device, batch_tokens=batch_tokens,
                       progress=progress, allow_download=allow_download, cache=cache, notes=notes)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # tokens may be patient ids
    bank.save(file)
    return FeatureBank.load(file)  # at the precision of the file, so that a second run sees the same numbers


def encode_bank(spec: EncoderSpec, contents: Mapping[str, str | Path], *, key: dict[str, Any],
                hashes: Mapping[str, str], device: Any = "cpu", batch_tokens: int = 4096,
                progress: str | bool = "auto", allow_download: bool = False, cache: Path | None = None,
                notes: Mapping[str, Any] | None = None) -> FeatureBank:
    """Encodes what is there of ``contents``; tokens with an empty text become absent rows.

    Raises:
        FeatureBankError: nothing to encode at all.
    """
    tokens = list(contents)
    present = np.array([bool(hashes[token]) for token in tokens], dtype=bool)
    there = [contents[token] for token, is_there in zip(tokens, present) if is_there]
    if not there:
        raise FeatureBankError(f"encoder '{spec.label}': none of {len(tokens)} users or items has a {spec.modality}")
    vectors, told = _encode(spec, there, device, batch_tokens, progress, allow_download, cache)
    matrix = np.zeros((len(tokens), vectors.shape[1]), dtype=np.float32)
    matrix[present] = vectors
    told |= {"backbone": spec.label, "template": spec.template, **(notes or {})}
    return FeatureBank(tokens, matrix, present, [hashes[token] for token in tokens], key, told)


def verify_bank(bank: FeatureBank, spec: EncoderSpec, contents: Mapping[str, str | Path], *, rows: int = 20,
                seed: int = 0, device: Any = "cpu", batch_tokens: int = 4096, progress: str | bool = "auto",
                cache: Path | None = None) -> dict[str, float]:
    """Encodes a few rows anew and compares them with the bank.

    Some directions of a language model's states are hundreds of times larger than the rest and the same for every
    text, so a plain cosine is near 1 between any two texts. Rows are therefore compared after subtracting the bank's
    mean and dividing by its spread, column by column.

    Args:
        bank: what to prove.
        spec: the encoder that is said to have made it.
        contents: as for `obtain_bank`.
        rows: how many rows; fewer if the bank has fewer.
        seed: which rows.
        device, batch_tokens, progress, cache: see `TextEncoder`.

    Returns:
        ``rows``, ``max_abs`` (largest difference of a raw feature) and ``min_cosine`` (of the compared rows).

    Raises:
        FeatureBankError: a row's cosine is below .99, or no row is there to compare.
    """
    there = [row for row, token in enumerate(bank.tokens) if bank.present[row] and token in contents]
    if not there:
        raise FeatureBankError("feature bank: no row to encode anew; its tokens are not those of the data set")
    order = np.random.default_rng(seed).permutation(len(there))[:rows]
    chosen = [there[place] for place in sorted(order)]
    again = [contents[bank.tokens[row]] for row in chosen]
    anew, _ = _encode(spec, again, device, batch_tokens, progress, False, cache)
    kept: np.ndarray = bank.matrix[chosen].astype(np.float32)
    if kept.shape != anew.shape:
        raise FeatureBankError(f"feature bank: width {bank.width}, encoder '{spec.label}' gives {anew.shape[1]}; "
                               "encode it anew with --reencode=true (of the command encode: --reencode)")
    centre, spread = _spread(bank.matrix[there[:_ENOUGH]].astype(np.float64))
    cosines = _cosine((kept - centre) / spread, (anew - centre) / spread)
    least = float(cosines.min())
    if least < _LEAST_COSINE:
        wrong = int((cosines < _LEAST_COSINE).sum())
        raise FeatureBankError(f"feature bank: {wrong} of {len(chosen)} rows encoded anew by '{spec.label}' differ "
                               f"from it (least cosine {least:.3f}, needs .99); "
                               "encode it anew with --reencode=true (of the command encode: --reencode)")
    return {"rows": len(chosen), "max_abs": float(np.abs(kept - anew).max()), "min_cosine": least}


def _encode(spec: EncoderSpec, contents: list[str | Path], device: Any, batch_tokens: int, progress: str | bool,
            allow_download: bool, cache: Path | None) -> tuple[np.ndarray, dict[str, Any]]:
    """Vectors [N, D] and what to note about them; torch is imported here, on first need."""
    if spec.modality == "image":
        from .image import encode_images

        return encode_images(spec, [Path(content) for content in contents], device=device, progress=progress), {}
    from .text import TextEncoder

    encoder = TextEncoder(spec, device=device, allow_download=allow_download, cache=cache)
    vectors = encoder.encode([str(content) for content in contents], batch_tokens=batch_tokens, progress=progress)
    return vectors, {"truncated": encoder.truncated, "computed_in": str(encoder.dtype).removeprefix("torch.")}


def _spread(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(matrix) < _FEW:
        return np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
    spread = matrix.std(axis=0)
    return matrix.mean(axis=0), np.where(spread > 0, spread, 1.0)


def _cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    sizes = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(axis=1) / np.maximum(sizes, 1e-12)
