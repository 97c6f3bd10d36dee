"""The folder of a trained model: tensors as safetensors, all else as JSON, a manifest that is checked first."""
from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from ..version import __version__
from ..errors import CheckpointError
from ..files import atomic_write, file_sha256, sync_folder

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["StoredModel", "load_model", "save_model"]
SCHEMA = 1
_FORMAT = "recbole_medmoe/model"
_NEEDED = {"model.safetensors", "meta.json"}
_REMEDY = "copy the folder anew from where it was trained, or train again"
_OTHER_REMEDY = "give the model/ folder of a run of recbole_medmoe, or train again"


@dataclass(frozen=True)
class StoredModel:
    """What ``load_model`` found.

    Args:
        tensors: name -> tensor on the CPU, from model.safetensors.
        extra: file name -> name -> tensor, e.g. ``{"catalogue": {...}}``.
        documents: file name -> JSON value.
        meta: what was given to ``save_model``; ``class`` names the model's class.
    """

    tensors: dict[str, Tensor]
    extra: dict[str, dict[str, Tensor]]
    documents: dict[str, Any]
    meta: dict[str, Any]


def save_model(folder: str | Path, tensors: Mapping[str, Tensor], documents: Mapping[str, Any],
               meta: Mapping[str, Any], extra: Mapping[str, Mapping[str, Tensor]] | None = None) -> Path:
    """Writes a model folder under a temporary name, syncs it and renames it: it is whole or not there.

    Args:
        folder: where; it must not exist.
        tensors: weights and buffers by name, any device; written to model.safetensors.
        documents: name -> JSON value, written to ``<name>.json``.
        meta: JSON values; ``meta["class"]`` must name the class (``package.module:Class``).
        extra: name -> tensors, written to ``<name>.safetensors``.

    Raises:
        CheckpointError: the folder is there, a value that cannot be stored, or the disk is full.
    """
    folder = Path(folder)
    if folder.exists():
        raise CheckpointError(f"{folder}: is there already; nothing is overwritten, give another folder")
    if not isinstance(meta.get("class"), str):
        raise CheckpointError("a model folder needs meta['class'], the name of the model's class")
    contents = {"model.safetensors": _packed("model", tensors)}
    for name, group in (extra or {}).items():
        contents[_file_name(name, ".safetensors", contents)] = _packed(name, group)
    for name, document in {**documents, "meta": dict(meta)}.items():
        contents[_file_name(name, ".json", contents)] = _json(name, document)
    temporary = None
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        temporary.chmod(0o777 & ~_umask())
        for name, content in contents.items():
            _write_synced(temporary / name, content)
        manifest = _manifest(temporary, sorted(contents), meta["class"])
        atomic_write(temporary / "manifest.json", _json("manifest", manifest))
        sync_folder(temporary)
        os.rename(temporary, folder)
        sync_folder(folder.parent)
    except BaseException as fault:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary)
        if isinstance(fault, OSError):
            raise CheckpointError(f"{folder}: cannot be written ({fault.strerror or fault}); "
                                  "free space or choose another folder. Nothing half-written is left") from fault
        raise
    return folder


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_synced(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _file_name(name: str, ending: str, taken: Mapping[str, bytes]) -> str:
    """File of a document or a group of tensors; no paths, no name twice."""
    file = name + ending
    if not re.fullmatch(r"\w[\w.-]*", name) or file in taken or file == "manifest.json":
        raise CheckpointError(f"'{name}' cannot name a file of a model folder: it is taken, or not of letters, "
                              "digits, '_', '-', '.'")
    return file


def _packed(name: str, tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as safetensors bytes; each is copied, since tied weights share memory."""
    import torch
    from safetensors.torch import save

    flat = {}
    for key, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
            raise CheckpointError(f"{name}.safetensors: '{key}' is no dense tensor and cannot be stored")
        flat[key] = tensor.detach().cpu().contiguous().clone()
    return save(flat)


def _json(name: str, document: Any) -> bytes:
    try:
        return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as fault:
        raise CheckpointError(f"{name}.json: a value that JSON cannot hold ({fault})") from fault


def _manifest(folder: Path, names: list[str], class_name: str) -> dict[str, Any]:
    versions = {"recbole_medmoe": __version__}
    for package in ("torch", "recbole", "safetensors"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    files = {name: {"size": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)} for name in names}
    return {"format": _FORMAT, "schema": SCHEMA, "class": class_name, "versions": versions, "files": files}


def load_model(folder: str | Path, expected_class: str | None = None) -> StoredModel:
    """Checks the manifest, then reads a model folder.

    Args:
        expected_class: refuse a folder of another class.

    Raises:
        CheckpointError: a file is missing, truncated, altered or not of this folder, or the folder is of another
            program, schema or class; the message names the file and the remedy.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    manifest = _checked_manifest(folder)
    if expected_class is not None and manifest["class"] != expected_class:
        raise CheckpointError(f"{folder}: holds a {manifest['class']}, not a {expected_class}; {_OTHER_REMEDY}")
    tensors: dict[str, dict[str, Tensor]] = {}
    documents: dict[str, Any] = {}
    for name in manifest["files"]:
        path = folder / name
        try:
            if path.suffix == ".safetensors":
                tensors[path.stem] = load_file(path)
            else:
                documents[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except (SafetensorError, ValueError) as fault:
            raise CheckpointError(f"{path}: cannot be read ({fault}); {_REMEDY}") from fault
    return StoredModel(tensors.pop("model"), tensors, documents, documents.pop("meta"))


def _checked_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, after every file was found to be the one it lists."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise CheckpointError(f"{path}: missing, so this is no model folder of recbole_medmoe; {_OTHER_REMEDY}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise CheckpointError(f"{path}: not JSON, so truncated or altered; {_REMEDY}") from fault
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: foreign: not written by recbole_medmoe; {_OTHER_REMEDY}")
    if manifest.get("schema") != SCHEMA:
        raise CheckpointError(f"{path}: schema {manifest.get('schema')}, but this version reads schema {SCHEMA}; "
                              "use the version of recbole_medmoe that wrote it, or train again")
    files = manifest.get("files")
    if not isinstance(files, dict) or not isinstance(manifest.get("class"), str) or not _NEEDED <= set(files):
        raise CheckpointError(f"{path}: altered: class or files are not named; {_REMEDY}")
    for name, entry in files.items():
        _check_file(folder, name, entry)
    for found in sorted(folder.iterdir()):
        if found.suffix in (".safetensors", ".json") and found.name != "manifest.json" and found.name not in files:
            raise CheckpointError(f"{found}: foreign: the manifest does not list it; remove it, or {_REMEDY}")
    return manifest


def _check_file(folder: Path, name: str, entry: Any) -> None:
    path = folder / name
    if not re.fullmatch(r"\w[\w.-]*\.(safetensors|json)", name) or not isinstance(entry, dict):
        raise CheckpointError(f"{folder / 'manifest.json'}: altered: '{name}' is no file of a model folder; {_REMEDY}")
    if not path.is_file():
        raise CheckpointError(f"{path}: missing; {_REMEDY}")
    size = path.stat().st_size
    if size != entry.get("size"):
        told = "truncated" if size < (entry.get("size") or 0) else "altered"
        raise CheckpointError(f"{path}: {told}: {size} bytes where the manifest says {entry.get('size')}; {_REMEDY}")
    if file_sha256(path) != entry.get("sha256"):
        raise CheckpointError(f"{path}: altered: its SHA-256 is not the manifest's; {_REMEDY}")
