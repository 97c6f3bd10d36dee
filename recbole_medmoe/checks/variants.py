"""What a check needs of the tiny data set beyond itself: fewer rows, one item, features of other encoders."""
from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Callable, Iterable

import numpy as np

from ..atomic import read_atomic, read_images, read_texts
from ..data import CollaborativeSpec, FeatureRequest
from ..encoders import EncoderSpec, FeatureBank, bank_name, content_hash
from ..encoders.obtain import encoder_key
from .tiny_food import CONDITIONS

_WIDTH = 8


def few_users(source: Path, target: Path, split: str, users: int, alone: bool = False) -> Path:
    """The data set ``source`` under the name of ``target``, with the training rows of the first few users only; with
    ``alone`` nobody else is scored either."""
    shutil.copytree(source, target)
    _rename(target, source.name)
    path = target / f"{target.name}.{split}.train.inter"
    first = list(dict.fromkeys(_cell(line, 0) for line in _lines(path)))[:users]
    for phase in ("train", "valid", "test") if alone else ("train",):
        _keep(target / f"{target.name}.{split}.{phase}.inter", lambda line: _cell(line, 0) in first)
    return target


def one_item(source: Path, target: Path, split: str) -> Path:
    """The data set ``source`` under the name of ``target``, with the only item that every part of a split has first."""
    target.mkdir(parents=True)
    parts = [f"{split}.{phase}.inter" for phase in ("train", "valid", "test")]
    for tail in ("user", "item", "inter", "yaml", *parts):
        shutil.copy(source / f"{source.name}.{tail}", target / f"{target.name}.{tail}")
    for room in ("text", "features", "images"):
        if (source / room).is_dir():
            shutil.copytree(source / room, target / room)
    shared = [{_cell(line, 1) for line in _lines(target / f"{target.name}.{part}")} for part in parts]
    item = min(set.intersection(*shared))
    for path in target.glob("*.inter"):
        _keep(path, lambda line: _cell(line, 1) == item)
    _keep(target / f"{target.name}.item", lambda line: _cell(line, 0) == item)
    if (source / "codes.csv").is_file():
        shutil.copy(source / "codes.csv", target)
    if (source / "images.csv").is_file():
        shutil.copy(source / "images.csv", target)
        _keep(target / "images.csv", lambda line: next(csv.reader([line]))[0] == item)
    texts = target / "text" / "item.jsonl"
    texts.write_text("".join(line + "\n" for line in texts.read_text(encoding="utf-8").splitlines()
                             if json.loads(line)["id"] == item), encoding="utf-8")
    return target


def supply_banks(folder: Path, requests: Iterable[FeatureRequest]) -> None:
    """Writes a feature bank for each frozen encoder that is asked for and not there: random views of the truth.

    Raises:
        ConfigError, MissingPackageError: a backbone that is neither packaged nor here, so that nothing keys its bank.
    """
    for request in requests:
        spec = request.encoder
        if not isinstance(spec, EncoderSpec):
            continue
        path, key = folder / "features" / f"{bank_name(request.side, spec)}.safetensors", encoder_key(spec)
        if path.is_file() and FeatureBank.load(path).key == key:
            continue
        contents: dict[str, str | Path] = {}
        contents |= (read_images(folder) if spec.modality == "image"
                     else read_texts(folder / "text" / f"{request.side}.jsonl"))
        seed = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:4], "big")
        noise = np.random.default_rng(seed)
        truth = _truth(folder, request.side, list(contents))
        matrix = truth @ noise.normal(size=(len(CONDITIONS), _WIDTH)) + 0.1 * noise.normal(size=(len(truth), _WIDTH))
        FeatureBank(list(contents), matrix.astype(np.float32), np.ones(len(truth), dtype=bool),
                    [content_hash(content) for content in contents.values()], key).save(path)


def supply_vectors(dataset: Any, requests: Iterable[FeatureRequest]) -> None:
    """Gives a data set random vectors wherever a small model would be trained first."""
    tokens = dataset.item_tokens[1:]
    vectors = FeatureBank(tokens, np.random.default_rng(0).normal(size=(len(tokens), _WIDTH)).astype(np.float32),
                          dataset.train_items[1:].numpy(), [content_hash(token) for token in tokens], {})
    for request in requests:
        if isinstance(request.encoder, CollaborativeSpec):
            dataset.give_vectors(request.encoder, vectors)


def _truth(folder: Path, side: str, tokens: list[str]) -> np.ndarray:
    """Which conditions a patient or visit has, or an item helps against [N, 4]: what the labels follow."""
    frame = read_atomic(folder / f"{folder.name}.{side}")
    column = next(name for name in ("conditions", "diag", "category") if name in frame)
    found = {str(token): set(cell) if side == "user" else {cell}
             for token, cell in zip(frame.iloc[:, 0], frame[column])}
    return np.array([[name in found[token] for name in CONDITIONS] for token in tokens], dtype=float)


def _rename(folder: Path, old: str) -> None:
    for path in folder.glob(f"{old}.*"):
        path.rename(folder / f"{folder.name}{path.name[len(old):]}")


def _lines(path: Path) -> list[str]:
    """Lines without the header."""
    return path.read_text(encoding="utf-8").splitlines()[1:]


def _cell(line: str, column: int) -> str:
    return line.split("\t")[column]


def _keep(path: Path, wanted: Callable[[str], bool]) -> None:
    """Keeps the header and the wanted lines of a file."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *filter(wanted, lines)]) + "\n", encoding="utf-8")
