"""Reads and writes one atomic file: tab-separated, a header of ``name:type``, sequences separated by spaces."""
from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Mapping

from ..errors import DataError
from ..files import atomic_write
from .faults import AtomicError, Fault, fault_at

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["RawTable", "TYPES", "example_line", "read_atomic", "scan", "write_atomic"]
# RecBole's four types, each with a cell that is right.
TYPES = {"token": "a", "token_seq": "a b", "float": "1.5", "float_seq": "0.5 1.5"}
_OTHER_SEPARATORS = {",": "a comma", ";": "a semicolon", "|": "a bar", "  ": "spaces"}


@dataclass
class RawTable:
    """Cells of an atomic file as text, with the line of each row and what is wrong so far.

    Args:
        types: column -> type, in file order.
        cells: one text column each; empty text where a value is missing.
        lines: line number of each row, counted from 1 with the header.
        faults: header, separators, encoding, cells of a wrong type.
    """

    types: dict[str, str]
    cells: pd.DataFrame
    lines: np.ndarray
    faults: list[Fault] = field(default_factory=list)


def example_line(types: Mapping[str, str]) -> str:
    """A right line for these columns, made up: no line of the file is shown."""
    return "\t".join({"user_id": "u1", "item_id": "i1"}.get(name, TYPES[kind]) for name, kind in types.items())


def scan(path: Path, example_header: str = "user_id:token\titem_id:token") -> RawTable:
    """Reads an atomic file and collects its faults instead of stopping at the first.

    Args:
        path: the file.
        example_header: shown where the header is wrong.
    """
    import numpy as np
    import pandas as pd

    content = path.read_bytes()
    empty = RawTable({}, pd.DataFrame(), np.zeros(0, dtype=np.int64))
    if content.startswith(codecs.BOM_UTF8):
        empty.faults.append(Fault(path.name, "begins with a byte-order mark; save it as plain UTF-8", 1,
                                  example=example_header))
        return empty
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()   # the newline at the end of the file
    types, faults = _header(path.name, lines[0] if lines else b"", example_header)
    if faults:
        empty.faults = faults
        return empty
    rows, numbers, faults = _rows(path.name, lines, types)
    cells = pd.DataFrame(rows, columns=list(types), dtype=object)
    table = RawTable(types, cells, np.asarray(numbers, dtype=np.int64), faults)
    _check_cells(path.name, table)
    return table


def _header(file: str, line: bytes, example: str) -> tuple[dict[str, str], list[Fault]]:
    """Column -> type, and what is wrong with the header."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return {}, [Fault(file, "bad header: it is not UTF-8", 1, example=example)]
    if not text.strip():
        rule = "bad header: the first line is empty; it names each column as name:type"
        return {}, [Fault(file, rule, 1, example=example)]
    types: dict[str, str] = {}
    faults = []
    if "\t" not in text and re.search(r":\w+[,;| ]+\w+:", text):
        return {}, [Fault(file, f"bad separator: the header is separated by {_separator(text)}, not by a tab", 1,
                          example=example)]
    for cell in text.split("\t"):
        name, colon, kind = cell.partition(":")
        if not colon or not name or name != name.strip():
            faults.append(Fault(file, f"bad header: '{cell}' is not name:type", 1, example=example))
        elif kind not in TYPES:
            rule = f"bad header: unknown type '{kind}'; types are {', '.join(TYPES)}"
            faults.append(Fault(file, rule, 1, name, example))
        elif name in types:
            faults.append(Fault(file, "bad header: the column comes twice", 1, name, example))
        else:
            types[name] = kind
    return types, faults


def _separator(text: str) -> str:
    return next((told for mark, told in _OTHER_SEPARATORS.items() if mark in text), "a space")


def _rows(file: str, lines: list[bytes], types: dict[str, str]) -> tuple[list[list[str]], list[int], list[Fault]]:
    """Rows with the right number of cells, their line numbers, and faults for all others."""
    tabs = len(types) - 1
    rows: list[list[str]] = []
    numbers: list[int] = []
    bad: dict[str, list[int]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            bad.setdefault("blank line", []).append(number)
        elif line.count(b"\t") != tabs:
            other = _separator(line.decode("utf-8", "replace"))
            hint = f"; it looks separated by {other}" if b"\t" not in line and tabs else ""
            rule = f"bad separator: {line.count(9) + 1} cells where the header has {tabs + 1}, separated by tabs{hint}"
            bad.setdefault(rule, []).append(number)
        else:
            try:
                rows.append(line.decode("utf-8").split("\t"))
                numbers.append(number)
            except UnicodeDecodeError:
                bad.setdefault("the line is not UTF-8", []).append(number)
    return rows, numbers, [fault_at(file, at, rule, example=example_line(types)) for rule, at in bad.items()]


def _check_cells(file: str, table: RawTable) -> None:
    """Adds a fault per column and rule: numbers that are none, quotation marks that would swallow the lines below."""
    import numpy as np
    import pandas as pd

    right = example_line(table.types)
    for name, kind in table.types.items():
        cells = table.cells[name]
        opened = cells.str.startswith('"') if len(cells) else pd.Series(dtype=bool)
        if opened.any():
            rule = ("a cell begins with a quotation mark, which RecBole's reader takes for the start of a quoted cell; "
                    "leave it out")
            table.faults.append(fault_at(file, list(table.lines[opened]), rule, name, right))
        if kind.startswith("float"):
            parts = cells.str.split().explode() if kind == "float_seq" else cells
            parts = parts[parts.notna() & (parts != "")]
            number = pd.to_numeric(parts, errors="coerce")
            wrong = parts.index[~np.isfinite(number.to_numpy(dtype=float))].unique()
            if len(wrong):
                rule = f"wrong type: not a finite number, but the column is {kind}"
                table.faults.append(fault_at(file, list(table.lines[wrong]), rule, name, right))


def read_atomic(path: str | Path) -> pd.DataFrame:
    """Reads one atomic file.

    Returns:
        Columns without their type: ``token`` text (empty where missing), ``float`` numbers (NaN where missing),
        ``token_seq`` lists of text, ``float_seq`` lists of numbers. ``df.attrs["types"]`` maps column to type.

    Raises:
        DataError: no such file, or all its faults with line and column.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    table = scan(path)
    if table.faults:
        raise AtomicError(path.parent, table.faults)
    frame = pd.DataFrame(index=range(len(table.cells)))
    for name, kind in table.types.items():
        cells = table.cells[name]
        if kind == "float":
            frame[name] = pd.to_numeric(cells.where(cells != "")).astype("float64")
        elif kind == "token_seq":
            frame[name] = pd.Series([cell.split() for cell in cells], dtype=object)
        elif kind == "float_seq":
            frame[name] = pd.Series([[float(part) for part in cell.split()] for cell in cells], dtype=object)
        else:
            frame[name] = cells
    frame.attrs["types"] = dict(table.types)
    return frame


def write_atomic(df: pd.DataFrame, types: Mapping[str, str], path: str | Path) -> None:
    """Writes one atomic file; equal tables give equal bytes.

    Args:
        df: token columns of text or whole numbers, float columns of numbers, ``*_seq`` columns of lists.
        types: column -> type, in the order to write.
        path: the file; its folder must be there.

    Raises:
        DataError: a missing column, an unknown type, or a cell that the format cannot hold.
    """
    path = Path(path)
    missing = [name for name in types if name not in df.columns]
    unknown = [kind for kind in types.values() if kind not in TYPES]
    if missing or unknown:
        told = f"no column {missing}" if missing else f"unknown types {unknown}"
        raise DataError(f"{path}: cannot be written: {told}")
    columns = [[_cell(value, kind) for value in df[name]] for name, kind in types.items()]
    for name, cells in zip(types, columns):
        wrong = next((row for row, cell in enumerate(cells) if re.search(r'[\t\r\n]|^"', cell)), None)
        if wrong is not None:
            raise DataError(f"{path}: cannot be written: row {wrong} of column '{name}' holds a tab or a line break, "
                            "or begins with a quotation mark")
    header = "\t".join(f"{name}:{kind}" for name, kind in types.items())
    body = "".join("\t".join(row) + "\n" for row in zip(*columns))
    atomic_write(path, f"{header}\n{body}".encode())


def _cell(value: object, kind: str) -> str:
    """Text of one value; None and NaN are the empty cell, whole floats lose their ``.0``."""
    if kind.endswith("_seq"):
        single = kind.removesuffix("_seq")
        parts = [_cell(part, single) for part in value] if value is not None else []  # type: ignore[attr-defined]
        if any(not part or len(part.split()) != 1 for part in parts):
            raise DataError("a part of a sequence is empty or holds a space, which separates the parts; use '_'")
        return " ".join(parts)
    if value is None or value != value:
        return ""
    if kind == "float":
        number = float(value)  # type: ignore[arg-type]
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    return str(value)
