"""Vectors of a data set that were made elsewhere: ``vectors/item.image.npy``, ids in ``vectors/item.image.json``."""
from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from ..errors import DataError
from ..files import atomic_write

if TYPE_CHECKING:
    import numpy as np

_BLOCK = 65_536
_SHOWN = 5


def vectors_path(folder: str | Path, side: str, modality: str) -> Path:
    """File of the vectors of ``user`` or ``item``, one row for each id of the ``.json`` file beside it."""
    return Path(folder).absolute() / "vectors" / f"{side}.{modality}.npy"


def read_matrix(path: str | Path) -> np.ndarray:
    """A feature file [N, D] in NumPy's format, read in place; nothing in it is ever run.

    Raises:
        DataError: no such file, no plain numbers in rows and columns, or values that are not finite (file and rows).
    """
    import numpy as np

    if not Path(path).is_file():
        raise DataError(f"{path} is missing: features of one row for each item; write it with numpy.save(path, matrix)")
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as fault:
        raise DataError(f"{path}: no matrix of numbers in NumPy's .npy format ({fault}); pickled objects are not read. "
                        "Write it with numpy.save(path, matrix, allow_pickle=False)") from fault
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype.kind not in "fiu" or not matrix.size:
        shape = getattr(matrix, "shape", "an archive")
        raise DataError(f"{path}: features are rows and columns of numbers, one row for each item; this is {shape} of "
                        f"{getattr(matrix, 'dtype', 'several arrays')}")
    wrong: list[int] = []
    for first in range(0, len(matrix), _BLOCK):
        bad = ~np.isfinite(np.asarray(matrix[first:first + _BLOCK], dtype=np.float32)).all(axis=1)
        wrong += (first + np.flatnonzero(bad)).tolist()
    if wrong:
        raise DataError(f"{path}: {len(wrong)} of {len(matrix)} rows hold values that are not finite (NaN, infinity), "
                        f"{first_of([f'row {row}' for row in wrong])} counted from 0; make these features again, or "
                        "leave the rows out")
    return matrix


def first_of(names: Sequence[str]) -> str:
    """The first few of some names, for a message."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def write_vectors(folder: str | Path, side: str, modality: str, ids: Sequence[str], matrix: Any) -> None:
    """Writes vectors [N, D] as float32, and their N ids."""
    import io

    import numpy as np

    path = vectors_path(folder, side, modality)
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(matrix, dtype=np.float32), allow_pickle=False)
    atomic_write(path, stream.getvalue())
    atomic_write(path.with_suffix(".json"), (json.dumps(list(ids), ensure_ascii=False) + "\n").encode())


def read_vectors(folder: str | Path, side: str, modality: str, known: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Ids [N] and vectors [N, D] float32.

    Args:
        known: ids of the data set; one without a row lacks the modality.

    Raises:
        DataError: as `read_matrix`; ids that are no list of distinct texts, of another number than the rows, or that
            the data set does not have (the first are named).
    """
    import numpy as np

    path = vectors_path(folder, side, modality)
    matrix, named = read_matrix(path), path.with_suffix(".json")
    if not named.is_file():
        raise DataError(f"{named} is missing: write the id of each row of {path.name}, in the order of the rows, e.g. "
                        '["i1", "i2"]')
    try:
        ids = json.loads(named.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise DataError(f"{named}: no list of ids in JSON ({fault}); write the id of each row of {path.name}, in the "
                        'order of the rows, e.g. ["i1", "i2"]') from fault
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids) or len(set(ids)) != len(ids):
        raise DataError(f"{named}: ids are a list of distinct texts, one for each row of {path.name}")
    if len(ids) != len(matrix):
        more = f"the first id without a row is {ids[len(matrix)]!r}" if len(ids) > len(matrix) else (
            f"the first row without an id is row {len(ids)}, counted from 0")
        raise DataError(f"{path}: {len(matrix)} rows, and {named.name} names {len(ids)} ids; {more}")
    strange = sorted(set(ids) - set(known))
    if strange:
        raise DataError(f"{named}: {len(strange)} of {len(ids)} ids are no {side} of the data set: "
                        f"{first_of([repr(one) for one in strange])}; the vectors belong to other data")
    return ids, np.asarray(matrix, dtype=np.float32)
