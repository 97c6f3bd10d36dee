"""``manifest.json``: where a data set comes from, its licence, what each filter kept, a hash of each file."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Iterator, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DataError
from ..files import atomic_write, file_sha256
from .layout import PARTS, inter_path, text_path

__all__ = ["Count", "FileEntry", "Manifest", "SplitEntry", "changed_files", "check_manifest", "data_sha256",
           "is_credentialed", "read_manifest", "refresh_manifest", "run_files", "write_manifest"]
SCHEMA = 1
_NAME = "manifest.json"
_REMEDY = ("restore the file, or, if the change is meant, write the hashes anew: "
           "python -c \"from recbole_medmoe.atomic import refresh_manifest; refresh_manifest('{folder}')\"")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Count(_Part):
    """What one filter kept, in the order of the filters."""

    filter: str
    kept: int = Field(ge=0)
    dropped: int | None = None


class FileEntry(_Part):
    """Size in bytes and SHA-256 of one file."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class SplitEntry(_Part):
    """What a split asks for, in one sentence."""

    description: str


class Manifest(BaseModel):
    """Contents of manifest.json.

    Args:
        schema_version: version of this layout; ``schema`` in the file.
        name: the data set folder's name.
        title: one line for lists.
        source: each raw source: its name, or a mapping with name, address, licence.
        licence: licence of what is in the folder.
        command: the command that made it.
        counts: what every filter kept, in order.
        files: path inside the folder -> size and SHA-256.
        splits: split -> description.
        derived_from_credentialed: made from data under a use agreement; caches, runs and exports inherit the mark.
        default_split: the split that is taken where none is named.
        labels: label variant -> how its labels differ from the data set's own.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_version: int = Field(default=SCHEMA, alias="schema", ge=SCHEMA, le=SCHEMA)
    name: str
    title: str
    source: list[str | dict[str, str]]
    licence: str
    command: str
    counts: list[Count]
    files: dict[str, FileEntry]
    splits: dict[str, SplitEntry]
    derived_from_credentialed: bool
    default_split: str | None = None
    labels: dict[str, str] | None = None


def _listed(folder: Path) -> Iterator[Path]:
    """Every file but the manifest itself, hidden ones and Python's."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "__")) for part in parts)
        if path.is_file() and not hidden and path.suffix != ".py" and parts != (_NAME,):
            yield path


def _entries(folder: Path) -> dict[str, FileEntry]:
    return {path.relative_to(folder).as_posix(): FileEntry(sha256=file_sha256(path), size=path.stat().st_size)
            for path in _listed(folder)}


def _save(folder: Path, manifest: Manifest) -> Manifest:
    text = json.dumps(manifest.model_dump(by_alias=True, exclude_none=True), indent=2, ensure_ascii=False)
    atomic_write(folder / _NAME, f"{text}\n".encode())
    return manifest


def write_manifest(folder: str | Path, *, title: str, source: Sequence[str | dict[str, str]], licence: str,
                   command: str, counts: Sequence[Count | dict[str, Any]] = (), splits: dict[str, str] | None = None,
                   derived_from_credentialed: bool = False, default_split: str | None = None,
                   name: str | None = None, labels: dict[str, str] | None = None) -> Manifest:
    """Hashes every file of the folder and writes manifest.json; call it last.

    Args:
        counts: ``{"filter": ..., "kept": ...}`` in order.
        splits: split -> description.
        name: the data set's name, the folder's where it is None. Other fields as in ``Manifest``.

    Raises:
        DataError: a value that does not fit, or a default split that is not among the splits.
    """
    folder = Path(folder)
    told = {split: {"description": text} for split, text in (splits or {}).items()}
    if default_split is not None and default_split not in told:
        raise DataError(f"{folder / _NAME}: default split '{default_split}' is not among the splits {sorted(told)}")
    try:
        manifest = Manifest.model_validate({
            "name": name or folder.resolve().name, "title": title, "source": list(source), "licence": licence,
            "command": command, "counts": [dict(count) for count in counts], "files": _entries(folder), "splits": told,
            "derived_from_credentialed": derived_from_credentialed, "default_split": default_split,
            "labels": labels})
    except ValidationError as fault:
        raise DataError(f"{folder / _NAME}: cannot be written: {_sentence(fault)}") from fault
    return _save(folder, manifest)


def refresh_manifest(folder: str | Path) -> Manifest:
    """Writes the hashes anew after a meant change and keeps all else.

    Raises:
        DataError: no manifest, or one that cannot be read.
    """
    folder = Path(folder)
    return _save(folder, read_manifest(folder).model_copy(update={"files": _entries(folder)}))


def _sentence(fault: ValidationError) -> str:
    places = [(".".join(str(part) for part in error["loc"]) or "document", error["msg"]) for error in fault.errors()]
    return "; ".join(f"{place}: {told}" for place, told in places)


def is_credentialed(folder: str | Path) -> bool:
    """Whether the manifest says that the data derive from a credentialed source; data without one do not.

    Raises:
        DataError: as `read_manifest`, but for a missing file.
    """
    return (Path(folder) / _NAME).is_file() and read_manifest(folder).derived_from_credentialed


def read_manifest(folder: str | Path) -> Manifest:
    """Reads manifest.json.

    Raises:
        DataError: missing, not JSON, or fields that do not fit, all of them named.
    """
    path = Path(folder) / _NAME
    if not path.is_file():
        raise DataError(f"{path}: no such file; recbole_medmoe.atomic.write_manifest makes one")
    try:
        return Manifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as fault:
        raise DataError(f"{path}: {_sentence(fault)}; restore the file") from fault
    except ValueError as fault:   # not UTF-8 or not JSON
        raise DataError(f"{path}: not JSON ({fault}); restore the file") from fault


def changed_files(folder: Path, manifest: Manifest) -> dict[str, str]:
    """Path -> what is wrong, for each file of the manifest that is missing or another one."""
    wrong = {}
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            wrong[name] = "the file is missing, though manifest.json lists it"
        elif path.stat().st_size != entry.size or file_sha256(path) != entry.sha256:
            wrong[name] = "manifest hash mismatch: the file is not the one that manifest.json was made for"
    return wrong


def remedy(folder: Path) -> str:
    """What to do about a file that differs from the manifest."""
    return _REMEDY.format(folder=folder)


def check_manifest(folder: str | Path) -> list[str]:
    """Compares every file with manifest.json: faults as sentences, none if all is as it was made.

    Raises:
        DataError: no manifest, or one that cannot be read.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    faults = [f"{name}: {rule}; {remedy(folder)}" for name, rule in changed_files(folder, manifest).items()]
    known = set(manifest.files)
    new = [path.relative_to(folder).as_posix() for path in _listed(folder)]
    return faults + [f"{name}: not listed in manifest.json; {remedy(folder)}" for name in new if name not in known]


def run_files(folder: Path, split: str | None, labels: str | None = None) -> list[str]:
    """Files that a run on this split and these labels reads, as far as they exist, as paths inside the folder."""
    name = folder.name
    tables = [folder / f"{name}.user", folder / f"{name}.item"]
    if split:
        tables += [inter_path(folder, split, part, labels) for part in PARTS]
        tables.append(folder / f"{name}.{split}.candidates.csv")
    else:
        tables.append(folder / f"{name}.inter")
    tables += [text_path(folder, side, split) for side in ("user", "item")]
    pictures = sorted(path for kind in ("images", "vectors") for path in (folder / kind).rglob("*") if path.is_file())
    there = [path for path in [*tables, folder / "candidates.csv", folder / "images.csv"] if path.is_file()]
    return [path.relative_to(folder).as_posix() for path in [*there, *pictures]]


def data_sha256(folder: str | Path, split: str | None, labels: str | None = None) -> str:
    """SHA-256 over names and contents of the files that a run on this split reads; the feature bank is made from them.

    Args:
        labels: a label variant, whose triple is read in place of the split's own.

    Raises:
        DataError: the folder holds none of these files.
    """
    folder = Path(folder).resolve()
    names = run_files(folder, split, labels)
    if not names:
        raise DataError(f"{folder}: no data set{f' with a split {split!r}' if split else ''} in this folder")
    lines = [f"{file_sha256(folder / name)}  {name}\n" for name in sorted(names)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
