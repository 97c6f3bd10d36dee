"""KeptTexts: what frozen layers make of texts, in a folder, so that later runs need not read them again."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Iterable, Mapping

from torch import Tensor

from ..errors import CheckpointError, MedMoEError
from ..files import atomic_write

_FORMAT, _SCHEMA = "recbole_medmoe/kept_texts", 1
_TOGETHER = 512  # texts in one file, so that a kill loses little
Entry = dict[str, Tensor]
"""Tensors of one text by name."""


class KeptTexts:
    """Tensors of texts below a folder, by a digest of the text; any number of processes may add to it.

    Texts are written some hundred together, and the last ones by `save`: each time one safetensors file, whole or not
    at all, which is never changed. Only the owner may enter the folder: states can tell what a text says.

    Args:
        base: folder of all kept texts.
        origin: plain values that fix what the tensors are: hash of the backbone, layers, number formats. Each origin
            has a folder of its own.
    """

    def __init__(self, base: Path, origin: Mapping[str, Any]) -> None:
        self.origin = json.dumps({"schema": _SCHEMA, **origin}, sort_keys=True)
        self.folder = base / hashlib.sha256(self.origin.encode()).hexdigest()[:32]
        self._place: dict[str, Path] = {}
        self._read: set[Path] = set()
        self._unsaved: dict[str, Entry] = {}

    def get(self, texts: Iterable[str]) -> dict[str, Entry]:
        """Those of ``texts`` that are here, written or not yet, with their tensors, on the CPU. Lists the folder.

        Raises:
            CheckpointError: a file that is damaged, or not of this package.
        """
        self._refresh()
        texts = list(texts)
        wanted: dict[Path, list[str]] = {}
        for text in texts:
            if text in self._place:
                wanted.setdefault(self._place[text], []).append(text)
        found = {text: self._unsaved[text] for text in texts if text in self._unsaved}
        for path, names in wanted.items():
            found.update(self._load(path, names))
        return found

    def add(self, entries: Mapping[str, Entry]) -> None:
        """Takes the tensors of texts that were not here; written are they with the next ones, or by `save`.

        Raises:
            MedMoEError: as `save`.
        """
        self._unsaved |= entries
        if len(self._unsaved) >= _TOGETHER:
            self.save()

    def save(self) -> None:
        """Writes what is not written yet; nothing where all is.

        Raises:
            MedMoEError: the disk is full, or the folder can not be written.
        """
        if not self._unsaved:
            return
        from safetensors.torch import save

        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as fault:
            raise MedMoEError(f"{self.folder}: cannot be made ({fault.strerror or fault}); choose another "
                              "cache_dir") from fault
        entries, self._unsaved = self._unsaved, {}
        names = sorted(entries)
        digest = hashlib.sha256("".join(names).encode()).hexdigest()[:16]
        tensors = {f"{text}.{name}": value.contiguous() for text in names for name, value in entries[text].items()}
        content = save(tensors, {"format": _FORMAT, "origin": self.origin, "texts": json.dumps(names)})
        atomic_write(self.folder / f"{digest}.safetensors", content, private=True)

    def _refresh(self) -> None:
        """Learns which texts lie in the files that are new since the last call."""
        for path in sorted(self.folder.glob("*.safetensors")):
            if path not in self._read:
                self._place |= dict.fromkeys(self._load(path, None), path)
                self._read.add(path)

    def _load(self, path: Path, names: list[str] | None) -> dict[str, Entry]:
        """Tensors of these texts of a file; None gives all its texts, without tensors."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                told = file.metadata() or {}
                if told.get("format") != _FORMAT or told.get("origin") != self.origin:
                    raise CheckpointError(f"{path}: no kept texts of this origin; remove the file")
                if names is None:
                    return {text: {} for text in json.loads(told["texts"])}
                wanted = set(names)
                found: dict[str, Entry] = {text: {} for text in names}
                for key in file.keys():
                    text, name = key.split(".", 1)
                    if text in wanted:
                        found[text][name] = file.get_tensor(key)
                return found
        except (SafetensorError, OSError, KeyError, ValueError) as fault:
            raise CheckpointError(f"{path}: kept texts that can not be read ({fault}); remove the file, and the texts "
                                  "are read again") from fault
