"""``candidates.csv``: the items that each user ranks, in the order in which they are shown (task choice)."""
from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Collection

from .faults import AtomicError, Fault, fault_at

__all__ = ["read_candidates", "scan_candidates"]
NAME = "candidates.csv"


def scan_candidates(folder: Path, user: str, item: str, users: Collection[str] | None = None,
                    items: Collection[str] | None = None) -> tuple[dict[str, list[str]], list[Fault]]:
    """Candidates of each user in file order, and every fault.

    Args:
        folder: the data set.
        user, item: names of the id columns.
        users, items: known tokens; None where nothing lists them.
    """
    example = "u1,i1"
    found: dict[str, list[str]] = {}
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return {}, [Fault(NAME, "the file is not UTF-8", example=example)]
    reader = csv.reader(io.StringIO(text, newline=""))
    if next(reader, []) != [user, item]:
        return {}, [Fault(NAME, f"bad header: it must be {user},{item}", 1, example=example)]
    bad: dict[tuple[str, str | None], list[int]] = {}
    for cells in reader:
        rule: tuple[str, str | None] | None = None
        if len(cells) != 2:
            rule = f"bad separator: {len(cells)} cells where there must be 2, separated by commas", None
        elif users is not None and cells[0] not in users:
            rule = f"unknown id: no such user in {folder.name}.user", user
        elif items is not None and cells[1] not in items:
            rule = f"unknown id: no such item in {folder.name}.item", item
        elif cells[1] in found.get(cells[0], ()):
            rule = "duplicate row: the user has this candidate in an earlier line", None
        if rule:
            bad.setdefault(rule, []).append(reader.line_num)
        else:
            found.setdefault(cells[0], []).append(cells[1])
    faults = [fault_at(NAME, lines, rule, column, example) for (rule, column), lines in bad.items()]
    single = sum(len(own) < 2 for own in found.values())
    if not faults and single:
        rule_of_all = f"{single} of {len(found)} users have a single candidate, so that there is nothing to choose from"
        faults.append(Fault(NAME, rule_of_all, example=example))
    return found, faults


def read_candidates(folder: str | Path, user: str = "user_id", item: str = "item_id") -> dict[str, list[str]]:
    """Candidates of each user in file order; none where the data set has no such file.

    Raises:
        DataError: all faults of the file, with lines.
    """
    folder = Path(folder)
    if not (folder / NAME).is_file():
        return {}
    found, faults = scan_candidates(folder, user, item)
    if faults:
        raise AtomicError(folder, faults)
    return found
