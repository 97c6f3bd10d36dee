"""``rows.parquet``: one line per test row with its groups, its metrics and its top-k list; no text."""
from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from ..errors import RecordError
from ..files import atomic_write

if TYPE_CHECKING:
    import numpy as np

__all__ = ["hashed_ids", "read_rows", "salt_of", "write_rows"]
_NAME = "rows.parquet"


def write_rows(folder: str | Path, columns: Mapping[str, np.ndarray | Sequence[Any]], compact: bool = False) -> Path:
    """Writes ``folder/rows.parquet``.

    Args:
        columns: name -> N values: numbers, booleans, text, or lists of text.
        compact: smallest file instead of the fastest write; what is read from it is the same.

    Raises:
        RecordError: columns of different lengths, or values of mixed types.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(folder) / _NAME
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise RecordError(f"{path}: cannot be written: columns of different lengths {lengths}")
    try:
        table = pa.table({name: pa.array(values) for name, values in columns.items()})
    except (pa.ArrowInvalid, pa.ArrowTypeError) as fault:
        raise RecordError(f"{path}: cannot be written: {fault}") from fault
    sink = pa.BufferOutputStream()
    smallest: dict[str, Any] = {"compression_level": 19, "write_statistics": False, "store_schema": False}
    pq.write_table(table, sink, compression="zstd", **(smallest if compact else {}))
    atomic_write(path, sink.getvalue().to_pybytes())
    return path


def read_rows(folder: str | Path) -> dict[str, Any]:
    """Reads ``folder/rows.parquet``.

    Returns:
        name -> numbers and booleans as an array [N], text and lists as a list of N.

    Raises:
        RecordError: missing, truncated or no parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(folder) / _NAME
    if not path.is_file():
        raise RecordError(f"{path}: no such file, so the run did not finish or this is no run folder")
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowInvalid, OSError) as fault:
        raise RecordError(f"{path}: truncated or no parquet file ({str(fault).splitlines()[0]}); "
                          "run again or remove the folder") from fault
    return {name: _values(table.column(name)) for name in table.column_names}


def _values(column: Any) -> Any:
    import pyarrow.types as kinds

    plain = kinds.is_integer(column.type) or kinds.is_floating(column.type) or kinds.is_boolean(column.type)
    return column.to_numpy() if plain and column.null_count == 0 else column.to_pylist()


def hashed_ids(tokens: Sequence[str], salt_file: str | Path) -> list[str]:
    """Ids that name no patient, for data derived from credentialed ones: SHA-256 keyed by a salt of this machine.

    Args:
        salt_file: made on first use, for the owner only; runs that share it can be compared row by row.
    """
    salt = salt_of(salt_file)
    return [hmac.new(salt, token.encode(), hashlib.sha256).hexdigest()[:24] for token in tokens]


def salt_of(path: str | Path) -> bytes:
    """The salt in a file, made where it is not there yet; of processes that make it at once one wins for all."""
    path = Path(path)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
        atomic_write(made, secrets.token_bytes(32), private=True)
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_bytes()
