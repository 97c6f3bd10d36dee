"""``ddi.csv``: pairs of medications that should not be given together."""
from __future__ import annotations

import csv
from pathlib import Path
from typing import Sequence

import torch
from torch import Tensor

from ..errors import DataError, nearest
from ..files import file_sha256
from ..layers.sets import multi_hot, padded_rows
from .visit_tables import Ragged


def read_ddi(folder: Path, items: Sequence[str]) -> Tensor | None:
    """Pairs of medications that should not be given together -> [I, I] bool, symmetric; None without a ``ddi.csv``.

    Args:
        folder: the data set.
        items: I tokens by internal id, [PAD] first.

    Raises:
        DataError: another header, or an item that the data set does not have.
    """
    path = folder / "ddi.csv"
    if not path.is_file():
        return None
    id_of = {token: place for place, token in enumerate(items)}
    found = torch.zeros(len(items), len(items), dtype=torch.bool)
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if not {"item_a", "item_b"} <= set(reader.fieldnames or ()):
            raise DataError(f"{path}, line 1: the header must be item_a,item_b,severity")
        for row in reader:
            for name in ("item_a", "item_b"):
                if row[name] not in id_of:
                    raise DataError(f"{path}, line {reader.line_num}, column '{name}': no item '{row[name]}' in the "
                                    f"data set{nearest(str(row[name]), items[1:])}")
            first, second = id_of[row["item_a"]], id_of[row["item_b"]]
            found[first, second] = found[second, first] = first != second
    return found


def ddi_statistics(folder: Path, ddi: Tensor, medications: Ragged) -> dict[str, float | str]:
    """Number of pairs and hash of the list, and the share of listed pairs among all pairs given in one visit."""
    listed = given = 0.0
    for rows in torch.arange(len(medications.sizes)).split(4096):
        sets = multi_hot(padded_rows(*medications, rows), len(ddi))  # [N, I]
        sizes = sets.sum(-1)
        listed += float(((sets @ ddi.float()) * sets).sum()) / 2
        given += float((sizes * (sizes - 1)).sum()) / 2
    return {"pairs": int(ddi.sum()) // 2, "rate": round(listed / max(1.0, given), 4),
            "sha256": interactions_sha256(folder)}


def interactions_sha256(folder: Path) -> str:
    """Hash of the list of interactions; '' where the data set has none."""
    path = folder / "ddi.csv"
    return file_sha256(path) if path.is_file() else ""
