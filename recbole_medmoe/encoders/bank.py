"""FeatureBank: one matrix of frozen features with the tokens, contents and encoder that it belongs to. No torch."""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from ..errors import FeatureBankError
from ..files import atomic_write, file_sha256

_ENTRY, _SCHEMA = "feature_bank", 1
_MADE_ANEW = "encode it anew with --reencode=true (of the command encode: --reencode)"
_HALF_MAX = float(np.finfo(np.float16).max)


def content_hash(content: str | Path) -> str:
    """SHA-256 of a text, or of a picture file's bytes; an empty text gives '' (nothing there to encode)."""
    if isinstance(content, Path):
        return file_sha256(content)
    return hashlib.sha256(content.encode()).hexdigest() if content.strip() else ""


@dataclass
class FeatureBank:
    """Features of N users or items.

    Args:
        tokens: N distinct tokens.
        matrix: [N, D] float16 or float32; rows that are not present are zero and mean nothing.
        present: [N] bool.
        hashes: N content hashes; '' where nothing was there.
        key: what fixes the encoder, see `EncoderSpec.key`.
        notes: plain values that are stored beside it and compared with nothing, e.g. how many texts were cut.

    Raises:
        FeatureBankError: parts that do not fit each other, or features that are not finite.
    """

    tokens: list[str]
    matrix: np.ndarray
    present: np.ndarray
    hashes: list[str]
    key: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = len(self.tokens)
        self._place = {token: row for row, token in enumerate(self.tokens)}
        if self.matrix.ndim != 2 or not len(self.matrix) == len(self.present) == len(self.hashes) == rows:
            raise FeatureBankError(f"feature bank: {rows} tokens, matrix {self.matrix.shape}, {len(self.present)} "
                                   f"marks of presence and {len(self.hashes)} hashes do not fit; {_MADE_ANEW}")
        if len(self._place) != rows:
            raise FeatureBankError(f"feature bank: {rows - len(self._place)} tokens come twice; {_MADE_ANEW}")
        if not np.isfinite(self.matrix).all():
            raise FeatureBankError(f"feature bank: features that are not finite; {_MADE_ANEW}")

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def width(self) -> int:
        """D, the length of one row."""
        return int(self.matrix.shape[1])

    def save(self, path: Path) -> None:
        """Writes one safetensors file (temporary name, then renamed); half precision where the values fit into it."""
        from safetensors.numpy import save

        fits = not len(self.matrix) or float(np.abs(self.matrix).max()) <= _HALF_MAX
        tensors = {
            "matrix": np.ascontiguousarray(self.matrix, dtype=np.float16 if fits else np.float32),
            "present": np.ascontiguousarray(self.present, dtype=np.uint8),
            "hashes": _pack_hashes(self.hashes),
            "tokens": np.frombuffer(json.dumps(self.tokens).encode(), dtype=np.uint8),
        }
        head = {"schema": _SCHEMA, "sha256": _digest(tensors), "key": self.key, "notes": self.notes}
        path.parent.mkdir(parents=True, exist_ok=True)
        # One entry: safetensors orders several at random, and the same bank shall give the same bytes.
        atomic_write(path, save(tensors, metadata={_ENTRY: json.dumps(head, sort_keys=True)}))

    @classmethod
    def load(cls, path: Path) -> FeatureBank:
        """Reads a bank and checks that it is whole.

        Raises:
            FeatureBankError: no bank, truncated or altered; the message names the file and the remedy.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                head = json.loads((file.metadata() or {}).get(_ENTRY, "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (OSError, ValueError, SafetensorError) as fault:
            raise FeatureBankError(f"feature bank {path} cannot be read ({fault}); {_MADE_ANEW}") from fault
        if head.get("schema") != _SCHEMA or set(tensors) != {"matrix", "present", "hashes", "tokens"}:
            raise FeatureBankError(f"feature bank {path} is of another kind; {_MADE_ANEW}")
        if head.get("sha256") != _digest(tensors):
            raise FeatureBankError(f"feature bank {path} was altered: its SHA-256 does not fit; {_MADE_ANEW}")
        return cls(json.loads(tensors["tokens"].tobytes()), tensors["matrix"], tensors["present"].astype(bool),
                   _unpack_hashes(tensors["hashes"]), head["key"], head["notes"])

    def check(self, *, key: Mapping[str, Any], contents: Mapping[str, str], place: str = "feature bank") -> None:
        """Holds the bank against an encoder and contents; tokens beyond ``contents`` do no harm.

        Args:
            key: `EncoderSpec.key` of the encoder that is asked for.
            contents: content hash per token.
            place: what to call the bank in a message.

        Raises:
            FeatureBankError: made by another encoder, or of other content.
        """
        other = sorted(name for name in set(key) | set(self.key) if key.get(name) != self.key.get(name))
        if other:
            made = self.notes.get("backbone", "unknown")
            raise FeatureBankError(f"{place} was made by another encoder (backbone '{made}'; these differ: "
                                   f"{', '.join(other)}); {_MADE_ANEW}")
        wrong = sum(1 for token, content in contents.items()
                    if token not in self._place or self.hashes[self._place[token]] != content)
        if wrong:
            raise FeatureBankError(f"{place} is of other content: {wrong} of {len(contents)} texts or pictures are not "
                                   f"those that were encoded; {_MADE_ANEW}")

    def align(self, tokens: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rows in the order of ``tokens`` [N]: features [N, D] float32 and presence [N]; unknown tokens are absent."""
        rows = np.array([self._place.get(token, -1) for token in tokens], dtype=np.int64)
        known = rows >= 0
        present: np.ndarray = np.zeros(len(rows), dtype=bool)
        present[known] = self.present[rows[known]]
        matrix: np.ndarray = np.zeros((len(rows), self.width), dtype=np.float32)
        matrix[present] = self.matrix[rows[present]]
        return matrix, present


def _pack_hashes(hashes: Sequence[str]) -> np.ndarray:
    """Raw digests [N, 32], a quarter of their length as JSON; all zero stands for ''."""
    raw = b"".join(bytes.fromhex(text) if text else bytes(32) for text in hashes)
    return np.frombuffer(raw, dtype=np.uint8).reshape(len(hashes), 32)


def _unpack_hashes(packed: np.ndarray) -> list[str]:
    return [row.tobytes().hex() if row.any() else "" for row in packed]


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        whole.update(np.ascontiguousarray(tensors[name]))
    return whole.hexdigest()
