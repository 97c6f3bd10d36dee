"""Data in the layout of MMRec: rows with a split label, and matrices of features, whose rows go by item number."""
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ..atomic import first_of, inter_path, read_matrix, replace_folder, write_atomic, write_manifest, write_vectors
from ..errors import DataError
from .visits.write import check_out

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["prepare_mmrec"]
LABEL, SPLIT = "x_label", "labelled"
PARTS = {"0": "train", "1": "valid", "2": "test"}
FEATURES = {"image": "image_feat.npy", "text": "text_feat.npy"}
_NAMES = {"user_id": ("userid", "user_id", "user"), "item_id": ("itemid", "item_id", "item"),
          "timestamp": ("timestamp", "time"), LABEL: (LABEL,)}


def prepare_mmrec(raw: Path, out: Path, progress: Callable[[str], None]) -> dict[str, str]:
    """Makes a data set folder: split ``labelled`` from the column ``x_label`` (0 trains, 1 validates, 2 tests), and
    given vectors from ``image_feat.npy`` and ``text_feat.npy``, as far as they are there.

    Row r of a feature file belongs to item r, counted from 0, as the layout has it.

    Args:
        raw: folder with one ``.inter`` file and the feature files.
        out: the data set folder, named like the data set; one that is there already is replaced.
        progress: called with one line per stage.

    Returns:
        What to print, in order.

    Raises:
        DataError: a missing file or column, labels other than 0, 1 and 2, a feature file of other items or with values
            that are not finite, or ``out`` holds something else.
    """
    raw, out = Path(raw), Path(out)
    check_out(out)
    path = _the_table(raw)
    rows = _read_rows(path)
    progress(f"{path.name}: {len(rows)} rows")
    kept = rows.drop_duplicates(["user_id", "item_id"])
    matrices, faults = {}, []
    for modality, name in FEATURES.items():
        if (raw / name).is_file():
            matrix = read_matrix(raw / name)
            faults += _mismatches(raw / name, len(matrix), kept["item_id"], path)
            matrices[modality] = matrix
            progress(f"{name}: {len(matrix)} rows of {matrix.shape[1]}")
    if faults:
        raise DataError("\n".join(faults))
    rows_of = max(map(len, matrices.values()), default=0)
    items = [str(row) for row in range(rows_of)] if matrices else _in_order(kept["item_id"])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        made = Path(temporary) / out.name
        made.mkdir()
        _write(made, kept, items, matrices, len(rows))
        replace_folder(made, out)
    parts = {f"{part} rows": f"{int((kept[LABEL] == label).sum()):,}" for label, part in PARTS.items()}
    vectors = {f"{modality} vectors": f"{len(matrix):,} x {matrix.shape[1]:,}" for modality, matrix in matrices.items()}
    return {"rows read": f"{len(rows):,}", "without repeated pairs": f"{len(kept):,}",
            "users": f"{kept['user_id'].nunique():,}", "items": f"{len(items):,}", **parts, **vectors}


def _the_table(raw: Path) -> Path:
    found = sorted(raw.glob("*.inter"))
    if len(found) != 1:
        raise DataError(f"{raw}: {len(found)} files end in .inter; the layout of MMRec has one, with the columns "
                        f"userID, itemID and {LABEL}, beside {' and '.join(FEATURES.values())}")
    return found[0]


def _read_rows(path: Path) -> pd.DataFrame:
    """Columns user_id, item_id, x_label and, where there is one, timestamp, as text."""
    import pandas as pd

    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: no tab-separated table with a header ({fault})") from fault
    plain = {str(column).split(":")[0].lower(): column for column in table.columns}
    chosen = {name: next((plain[known] for known in names if known in plain), None) for name, names in _NAMES.items()}
    lost = [name for name in ("user_id", "item_id", LABEL) if chosen[name] is None]
    if lost:
        raise DataError(f"{path}, line 1: no column {', '.join(lost)} among {', '.join(map(str, table.columns))}; a "
                        f"right header is userID\titemID\trating\ttimestamp\t{LABEL}")
    rows = table[[column for column in chosen.values() if column is not None]]
    rows.columns = [name for name, column in chosen.items() if column is not None]
    for column, right, what in (("user_id", rows["user_id"] != "", "an empty user"),
                                ("item_id", rows["item_id"] != "", "an empty item"),
                                *([("timestamp", pd.to_numeric(rows["timestamp"], errors="coerce").notna(),
                                    "no number as a time")] if "timestamp" in rows else []),
                                (LABEL, rows[LABEL].isin(list(PARTS)), f"an {LABEL} other than 0, 1 and 2")):
        if not right.all():
            lines = [f"line {place + 2}" for place in (~right).to_numpy().nonzero()[0]]
            raise DataError(f"{path}, column '{column}': {what} in {len(lines)} rows: {first_of(lines)}")
    if set(rows[LABEL]) != set(PARTS):
        lacking = [f"{label} ({part})" for label, part in PARTS.items() if label not in set(rows[LABEL])]
        raise DataError(f"{path}: no row has {LABEL} {', '.join(lacking)}; all three parts need rows")
    return rows


def _mismatches(features: Path, count: int, items: pd.Series, path: Path) -> list[str]:
    """How the rows of a feature file and the items of the rows do not fit."""
    strange = [item for item in _in_order(items) if not item.isascii() or not item.isdigit() or item != str(int(item))]
    if strange:
        return [f"{features}: rows go by item number, and {len(strange)} items of {path.name} are no whole numbers: "
                f"{first_of([repr(item) for item in strange])}; number the items from 0, in the order of the rows"]
    numbers = sorted({int(item) for item in items})
    beyond = [str(number) for number in numbers if number >= count]
    if beyond:
        return [f"{features}: {count} rows, and {len(beyond)} items of {path.name} have none: {first_of(beyond)} "
                "(items are counted from 0); the file belongs to other items"]
    spare = [str(row) for row in range(numbers[-1] + 1, count)]
    if spare:
        return [f"{features}: {count} rows, and the items of {path.name} end at {numbers[-1]}: {len(spare)} rows "
                f"belong to no item, the first are {first_of(spare)} (counted from 0); the file belongs to other items"]
    return []


def _in_order(items: pd.Series) -> list[str]:
    """Distinct items, by number where all are numbers, else by name."""
    found = sorted(set(items))
    return sorted(found, key=int) if all(item.isdecimal() for item in found) else found


def _write(made: Path, rows: pd.DataFrame, items: list[str], matrices: dict[str, np.ndarray], read: int) -> None:
    import pandas as pd

    name, types = made.name, {"user_id": "token", "item_id": "token"}
    types |= {"timestamp": "float"} if "timestamp" in rows else {}
    rows = rows.astype({column: float for column in types if types[column] == "float"})
    write_atomic(rows[list(types)], types, made / f"{name}.inter")
    for label, part in PARTS.items():
        write_atomic(rows.loc[rows[LABEL] == label, list(types)], types, inter_path(made, SPLIT, part))
    write_atomic(pd.DataFrame({"item_id": items}), {"item_id": "token"}, made / f"{name}.item")
    for modality, matrix in matrices.items():
        write_vectors(made, "item", modality, [str(row) for row in range(len(matrix))], matrix)
    (made / f"{name}.yaml").write_text(f"split: {SPLIT}\nload_col:\n  inter: [{', '.join(types)}]\n", encoding="utf-8")
    write_manifest(made, name=name, title=f"{name}, from the layout of MMRec",
                   source=["a folder in the layout of MMRec"], licence="that of the source",
                   command=f"recbole-medmoe prepare mmrec DIR --out {name}",
                   counts=[{"filter": "rows read", "kept": read},
                           {"filter": "without repeated pairs", "kept": len(rows), "dropped": read - len(rows)}],
                   splits={SPLIT: f"as the column {LABEL} says: 0 trains, 1 validates, 2 tests"}, default_split=SPLIT)
