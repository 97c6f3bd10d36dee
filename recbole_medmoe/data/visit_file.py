"""The ``.user`` file of a data set of visits: patients, codes, and which visits are known to be earlier."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Sequence

from ..atomic import read_atomic
from ..errors import DataError
from .visit_tables import KINDS, PAD, Ragged

if TYPE_CHECKING:
    import pandas as pd

_TYPES = {"patient_id": "token", "visit_no": "float", "earlier": "token_seq", **dict.fromkeys(KINDS, "token_seq")}


@dataclass(frozen=True)
class VisitFile:
    """What the ``.user`` file says of U visits, by RecBole's internal id, row 0 being [PAD].

    Attributes:
        patients: U tokens of patients, [PAD] first.
        history: internal ids of the visits of the same patient that are known to be earlier, oldest first.
        vocabulary: ``diag`` and ``proc`` to C codes in alphabetical order, [PAD] first; all codes of the file, whatever
            the split.
        codes: ``diag`` and ``proc`` to the code ids of each visit.
    """

    patients: list[str]
    history: Ragged
    vocabulary: dict[str, list[str]]
    codes: dict[str, Ragged]


def read_frame(path: Path) -> pd.DataFrame:
    """Reads the ``.user`` file; rows by visit, which is its first column.

    Raises:
        DataError: a column is missing or of another type, or an earlier visit is unknown, of another patient, or not
            before in ``visit_no``. Lines are named, never ids.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: task medication reads patients, diagnoses and procedures of visits there")
    frame = read_atomic(path)
    types = {str(name): str(kind) for name, kind in frame.attrs["types"].items()}
    for name, kind in _TYPES.items():
        if types.get(name) != kind:
            what = f"is {types[name]}" if name in types else "is missing"
            raise DataError(f"{path}, line 1: column '{name}' {what}; task medication needs {name}:{kind}")
    frame = frame.set_index(next(iter(types)))
    _check_order(path, frame)
    return frame


def visits_of(frame: pd.DataFrame, visits: Sequence[str]) -> VisitFile:
    """Turns the file's rows into ids.

    Args:
        frame: as `read_frame` gives it.
        visits: U tokens by internal id, [PAD] first; each visit of the frame is among them.

    Raises:
        DataError: a visit of the interactions has no line.
    """
    lost = len(set(visits[1:]) - set(frame.index))
    if lost:
        raise DataError(f"{lost} visits of the interactions have no line in the .user file; write one for each visit")
    frame = frame.reindex(visits[1:])
    id_of = {token: place for place, token in enumerate(visits)}
    history = Ragged.of([[], *([id_of[token] for token in cell] for cell in frame["earlier"])])
    vocabulary, codes = {}, {}
    for kind in KINDS:
        cells: list[Sequence[str]] = [[], *frame[kind]]
        vocabulary[kind] = [PAD, *sorted({code for cell in cells for code in cell})]
        code_of = {code: place for place, code in enumerate(vocabulary[kind])}
        codes[kind] = Ragged.of([sorted({code_of[code] for code in cell}) for cell in cells])
    return VisitFile([PAD, *frame["patient_id"]], history, vocabulary, codes)


def _check_order(path: Path, frame: pd.DataFrame) -> None:
    """Earlier visits are visits of the same patient, oldest first, all before the visit itself."""
    patients = dict(zip(frame.index, frame["patient_id"]))
    numbers = dict(zip(frame.index, frame["visit_no"]))
    for line, (visit, earlier) in enumerate(frame["earlier"].items(), start=2):
        place = f"{path}, line {line}, column 'earlier'"
        if not set(earlier) <= patients.keys():
            raise DataError(f"{place}: a visit that has no line in this file")
        if any(patients[other] != patients[visit] for other in earlier):
            raise DataError(f"{place}: a visit of another patient")
        order = [numbers[other] for other in (*earlier, visit)]
        if any(not first < second for first, second in zip(order, order[1:])):
            raise DataError(f"{place}: visits must stand oldest first, and each before this one, by visit_no")
