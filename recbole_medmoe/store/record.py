"""``record.json``: what was run, on what, and what came out; refused where it does not fit record.schema.json."""
from __future__ import annotations

import hashlib
import json
import math
from functools import cache
from pathlib import Path
from typing import Any, Iterator

from ..errors import RecordError
from ..files import atomic_write

__all__ = ["read_record", "record_schema", "write_record"]
_NAME = "record.json"
_SHOWN = 20


@cache
def record_schema() -> dict[str, Any]:
    """The JSON schema of a record."""
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("record.schema.json").read_text(encoding="utf-8"))
    return schema


def _not_finite(value: Any, path: str) -> Iterator[str]:
    """JSON has no NaN and no infinity: an undefined value is null."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path}: {value} is not a finite number; write null"
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _not_finite(part, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            yield from _not_finite(part, f"{path}[{place}]")


def _check(record: Any, place: Path, remedy: str) -> None:
    """Raises RecordError with the JSON path of every fault."""
    from jsonschema import Draft202012Validator

    found = sorted(Draft202012Validator(record_schema()).iter_errors(record), key=lambda fault: fault.json_path)
    faults = [f"{fault.json_path}: {_told(fault.message)}" for fault in found] + list(_not_finite(record, "$"))
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise RecordError(f"{place}: does not fit record schema 1; {remedy}:\n"
                          + "\n".join(f"  - {fault}" for fault in faults[:_SHOWN] + more))


def _told(message: str) -> str:
    return message if len(message) <= 200 else message[:100] + " ... " + message[-95:]


def write_record(folder: str | Path, record: dict[str, Any], indent: int | None = 2) -> Path:
    """Checks a record and writes ``folder/record.json``; without ``indent`` on one line.

    Raises:
        RecordError: the record does not fit the schema; the JSON path of each fault is named and nothing is written.
    """
    path = Path(folder) / _NAME
    _check(record, path, "it is not written")
    record = {**record, "sha256": record_sha256(record)}
    try:
        text = json.dumps(record, indent=indent, separators=None if indent else (",", ":"), ensure_ascii=False,
                          allow_nan=False)
    except TypeError as fault:
        raise RecordError(f"{path}: a value that JSON cannot hold ({fault}); it is not written") from fault
    atomic_write(path, f"{text}\n".encode())
    return path


def read_record(folder: str | Path) -> dict[str, Any]:
    """Reads and checks ``folder/record.json``.

    Raises:
        RecordError: missing, not JSON, or not of the schema.
    """
    path = Path(folder) / _NAME
    if not path.is_file():
        raise RecordError(f"{path}: no such file, so the run did not finish or this is no run folder")
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:   # not UTF-8 or not JSON
        raise RecordError(f"{path}: not JSON ({fault}); run again or remove the folder") from fault
    _check(record, path, "run again or remove the folder")
    written = record.pop("sha256", None)   # the first records had none
    if written is not None and written != record_sha256(record):
        raise RecordError(f"{path}: was changed after it was written (its SHA-256 is another); put the written file "
                          "back, or remove the folder and run again")
    return record


def record_sha256(record: dict[str, Any]) -> str:
    """SHA-256 of a record's content, however it is laid out in its file; it stands in the file as ``sha256``."""
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
