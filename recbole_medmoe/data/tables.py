"""Feature tables of one data set folder: frozen encoders through their banks, fitted columns and words."""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import torch
from torch import Tensor

from ..atomic import read_atomic, read_images, read_texts, read_vectors, text_path, vectors_path
from ..encoders import PADDING, EncoderSpec, FeatureBank, blurred_pictures, obtain_bank
from ..errors import DataError
from .column_texts import column_texts
from .profile import ProfileEncoder
from .requests import GIVEN, FeatureRequest, FeatureTable, TokenSpec, WordSpec
from .visit_tables import KINDS, STRUCTURE
from .words import WordEncoder
from .wrapping import WrappedTokens


@dataclass
class FolderFeatures:
    """Features of the users and items of one folder, each made on first use.

    Args:
        folder: the data set.
        tokens: ``user`` and ``item`` tokens by internal id, [PAD] first.
        cache: folder of caches for what the data set does not ship.
        options: ``reencode``, ``device``, ``batch_tokens``, ``progress``, ``allow_download``, ``notes`` for encoders.
        split: its own texts, where it has some, stand in for the common ones.
        columns: columns that a profile takes where it names none, by side; where they are not stated, all.
        templates: by side, how texts are made of columns where there is no file of texts; see `column_texts`.
    """

    folder: Path
    tokens: Mapping[str, Sequence[str]]
    cache: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None
    columns: Mapping[str, Sequence[str] | None] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cut: dict[str, int] = {}  # texts longer than a prompt may be, by request key
        self._texts: dict[str, dict[str, str]] = {}
        self._frames: dict[str, tuple[list[dict[str, Any]], dict[str, str]]] = {}

    def texts(self, side: str) -> dict[str, str]:
        """Token to raw text.

        Raises:
            DataError: the data set has no texts of that side.
        """
        if side not in self._texts:
            path = text_path(self.folder, side, self.split)
            if not path.is_file() and side in self.templates:
                rows = dict(zip(self.tokens[side][1:], self.records(side)[0][1:]))
                self._texts[side] = column_texts(self.templates[side], rows, list(self.records(side)[1]))
                return self._texts[side]
            if not path.is_file():
                raise DataError(f"{path} is missing: the model reads {side} texts; write one line per {side}, "
                                '{"id": "...", "text": "..."}')
            self._texts[side] = read_texts(path)
        return self._texts[side]

    @cached_property
    def images(self) -> dict[str, Path]:
        """Item token to its catalogue picture.

        Raises:
            DataError: the data set has no pictures.
        """
        if not (self.folder / "images.csv").is_file():
            raise DataError(f"{self.folder / 'images.csv'} is missing: the model looks at pictures; add them, or set "
                            "--image_encoder=null")
        return read_images(self.folder)

    def records(self, side: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """Rows of the ``.user`` or ``.item`` file by internal id (an empty one where the file has none), and the types.

        Raises:
            DataError: the file is missing.
        """
        if side not in self._frames:
            path = self.folder / f"{self.folder.name}.{side}"
            if not path.is_file():
                raise DataError(f"{path} is missing: the model reads {side} columns")
            frame = read_atomic(path)
            types = {str(name): str(kind) for name, kind in frame.attrs["types"].items()}
            key = next(iter(types))
            by_token = {str(row[key]): row for row in frame.to_dict("records")}
            self._frames[side] = ([by_token.get(token, {}) for token in self.tokens[side]],
                                  {name: kind for name, kind in types.items() if name != key})
        return self._frames[side]

    def profile_columns(self, side: str) -> list[str]:
        """Columns that a profile takes where it names none.

        Raises:
            DataError: the file is missing.
        """
        types = self.records(side)[1]
        offered = self.columns.get(side) or types
        # A visit's codes come by `VisitTables`; beside them they would be told twice.
        left_out = (*STRUCTURE, *KINDS) if side == "user" and STRUCTURE[0] in types else STRUCTURE
        return [name for name in types if name in offered and name not in left_out]

    def offers(self, request: FeatureRequest) -> bool:
        """Whether the data set has such a thing at all, for any user or item."""
        if isinstance(request.encoder, EncoderSpec) and request.encoder.backbone == GIVEN:
            return vectors_path(self.folder, request.side, request.modality).is_file()
        if request.modality == "image":
            return (self.folder / "images.csv").is_file()
        if request.modality in ("text", "tokens", "words", "length"):
            return text_path(self.folder, request.side, self.split).is_file() or request.side in self.templates
        return (self.folder / f"{self.folder.name}.{request.side}").is_file()

    def bank(self, side: str, spec: EncoderSpec) -> FeatureBank:
        """Frozen features of one side; shipped, cached or encoded now."""
        shipped = self.folder / "features"
        if spec.modality == "text" and text_path(self.folder, side, self.split) != text_path(self.folder, side):
            shipped = shipped / str(self.split)  # the split has texts of its own
        contents = self.contents(side, spec.modality)
        return obtain_bank(side, spec, contents, shipped=shipped, cache=self.cache, **self.options)

    def other_pictures(self, spec: EncoderSpec, kind: str) -> FeatureTable:
        """Table of pictures other than the catalogue's, for test only; an item without one is absent.

        Args:
            spec: an image encoder.
            kind: ``photo``, the first photo that images.csv lists of each item, or ``blurred``, its catalogue picture
                blurred.

        Raises:
            DataError: the data set has no such picture.
        """
        every = read_images(self.folder, kind="photo") if kind == "photo" else self.images
        there = {token: every[token] for token in self.tokens["item"][1:] if token in every}
        if not there:
            raise DataError(f"{self.folder / 'images.csv'} lists no picture for images = {kind}; add some, or leave "
                            "images at catalogue")
        if kind == "blurred":
            there = blurred_pictures(there, self.cache / "blurred")
        shipped = self.folder / "features" / kind
        bank = obtain_bank("item", spec, there, shipped=shipped, cache=self.cache, **self.options)
        matrix, present = bank.align(list(self.tokens["item"]))
        return FeatureTable(torch.from_numpy(matrix), torch.from_numpy(present))

    def contents(self, side: str, modality: str) -> dict[str, str | Path]:
        """What a frozen encoder reads, by token: texts or picture files of the users or items of the data set."""
        found: Mapping[str, str | Path] = self.texts(side) if modality == "text" else self.images
        return {token: found[token] for token in self.tokens[side][1:] if token in found}

    def table(self, request: FeatureRequest, fit: Tensor) -> tuple[FeatureTable, dict[str, Any] | None]:
        """Table of one request, and its JSON state if it was fitted.

        Args:
            request: what is asked for.
            fit: [N] bool, rows that fitting may look at.
        """
        if request.optional and not self.offers(request):
            absent = torch.zeros(len(self.tokens[request.side]), dtype=torch.bool)
            ids = torch.full((len(absent), 1), PADDING)
            return FeatureTable(ids if request.modality == "tokens" else torch.zeros(len(absent), 1), absent), None
        if isinstance(request.encoder, EncoderSpec) and request.encoder.backbone == GIVEN:
            return self._given(request), None
        if isinstance(request.encoder, EncoderSpec):
            matrix, present = self.bank(request.side, request.encoder).align(list(self.tokens[request.side]))
            return FeatureTable(torch.from_numpy(matrix), torch.from_numpy(present)), None
        if isinstance(request.encoder, TokenSpec):
            return self._token_ids(request, request.encoder, fit), None
        if request.modality == "length":
            found = self.contents(request.side, "text")
            sizes = [[float(len(str(found.get(token, ""))))] for token in self.tokens[request.side]]
            return FeatureTable(torch.tensor(sizes), torch.tensor([size > 0 for (size,) in sizes])), None
        if isinstance(request.encoder, WordSpec):
            return self._words(request, request.encoder, fit)
        return self._columns(request, fit)

    def _given(self, request: FeatureRequest) -> FeatureTable:
        tokens, file = list(self.tokens[request.side]), self.folder / f"{self.folder.name}.{request.side}"
        known = read_atomic(file).iloc[:, 0].astype(str) if file.is_file() else tokens[1:]
        ids, rows = read_vectors(self.folder, request.side, request.modality, list(known))
        place = {token: row for row, token in enumerate(ids)}
        present = torch.tensor([token in place for token in tokens], dtype=torch.bool)
        matrix = torch.zeros(len(tokens), rows.shape[1])
        matrix[present] = torch.from_numpy(rows[[place[token] for token in tokens if token in place]])
        return FeatureTable(matrix, present)

    def wrapped(self, spec: TokenSpec) -> WrappedTokens:
        """What puts texts behind their templates."""
        return WrappedTokens(spec, cache=self.cache, allow_download=self.options.get("allow_download", False))

    def _token_ids(self, request: FeatureRequest, spec: TokenSpec, seen: Tensor) -> FeatureTable:
        texts, prompts = self.contents(request.side, "text"), self.wrapped(spec)
        matrix, present = prompts.table([str(texts.get(token, "")) for token in self.tokens[request.side]],
                                        seen.tolist())
        if prompts.truncated:
            self.cut[request.key] = prompts.truncated
        return FeatureTable(torch.from_numpy(matrix), torch.from_numpy(present))

    def _words(self, request: FeatureRequest, spec: WordSpec, fit: Tensor) -> tuple[FeatureTable, dict[str, Any]]:
        texts = self.texts(request.side)
        rows = [texts.get(token, "") for token in self.tokens[request.side]]
        encoder = WordEncoder.fit([text for text, seen in zip(rows, fit.tolist()) if seen and text.strip()], spec)
        present = torch.tensor([bool(text.strip()) for text in rows], dtype=torch.bool)
        return FeatureTable(encoder.transform(rows), present), encoder.state()

    def _columns(self, request: FeatureRequest, fit: Tensor) -> tuple[FeatureTable, dict[str, Any]]:
        records, types = self.records(request.side)
        fits: Callable[[str], bool] = (lambda kind: kind == "token_seq") if request.modality == "codes" else (
            lambda kind: kind in ("float", "token", "token_seq"))
        names = request.fields or tuple(name for name in self.profile_columns(request.side) if fits(types[name]))
        encoder = ProfileEncoder.fit([row for row, seen in zip(records, fit.tolist()) if seen], types, names)
        if not encoder.width:
            raise DataError(f"{self.folder.name}.{request.side} has no column for the feature '{request.name}'")
        return FeatureTable(encoder.transform(records), encoder.present(records)), encoder.state()
