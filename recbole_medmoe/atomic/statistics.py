"""Counts of a data set folder, for the table at load and for the record."""
from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .layout import PARTS, inter_path, text_path
from .table import read_atomic
from .texts import read_images, read_texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Statistics", "statistics"]
Statistics = dict[str, Any]


def statistics(folder: str | Path, split: str | None, user: str = "user_id", item: str = "item_id",
               group_column: str = "conditions", labels: str | None = None) -> Statistics:
    """Counts of one split, plain JSON values.

    Args:
        folder: the data set folder.
        split: a pre-split triple; None counts ``<name>.inter``, which RecBole splits later.
        user, item: id columns.
        group_column: a column of ``.user`` whose values make groups, where the file has it.
        labels: a label variant, whose triple of the split is counted.

    Returns:
        ``users`` and ``items`` (of ``.user`` and ``.item``, else of the interactions); ``rows`` and ``items_per_user``
        by part; with a split ``users_only_in_test``, ``items_only_in_test`` (no training row) and ``groups``: how many
        test users (test items for ``cold_item``) each group has; ``users_without_text``, ``items_without_text`` and
        ``items_without_picture`` where the data set has texts or pictures at all.

    Raises:
        DataError: a file is missing or breaks a rule.
    """
    folder = Path(folder).resolve()
    name = folder.name
    parts = ({part: read_atomic(inter_path(folder, split, part, labels)) for part in PARTS} if split
             else {"all": read_atomic(folder / f"{name}.inter")})
    users = _ids(folder / f"{name}.user", user) or {token for rows in parts.values() for token in rows[user]}
    items = _ids(folder / f"{name}.item", item) or {token for rows in parts.values() for token in rows[item]}
    counts: Statistics = {
        "users": len(users), "items": len(items),
        "rows": {part: len(rows) for part, rows in parts.items()},
        "items_per_user": {part: round(len(rows) / max(1, rows[user].nunique()), 2) for part, rows in parts.items()},
    }
    if split:
        counts |= _unseen(folder, parts, user, item, group_column)
    return counts | _missing(folder, split, users, items)


def _ids(path: Path, column: str) -> set[str]:
    return set(read_atomic(path)[column]) if path.is_file() else set()


def _unseen(folder: Path, parts: dict[str, pd.DataFrame], user: str, item: str, group_column: str) -> Statistics:
    """Who and what is tested without a training row, and the size of each group among test users."""
    tested = set(parts["test"][user])
    new_users = tested - set(parts["train"][user])
    new_items = set(parts["test"][item]) - set(parts["train"][item])
    groups = {"cold_patient": len(new_users), "warm_patient": len(tested) - len(new_users), "cold_item": len(new_items)}
    path = folder / f"{folder.name}.user"
    if path.is_file():
        frame = read_atomic(path)
        if frame.attrs["types"].get(group_column) == "token_seq":
            chosen = frame[frame[user].isin(tested)]
            sizes = Counter(code for codes in chosen[group_column] for code in set(codes))
            groups |= {f"{group_column.removesuffix('s')}:{code}": sizes[code] for code in sorted(sizes)}
    return {"users_only_in_test": len(new_users), "items_only_in_test": len(new_items), "groups": groups}


def _missing(folder: Path, split: str | None, users: set[str], items: set[str]) -> Statistics:
    """Ids without a text or a catalogue picture, for what the data set has at all."""
    found: Statistics = {}
    for side, ids in (("user", users), ("item", items)):
        path = text_path(folder, side, split)
        if path.is_file():
            found[f"{side}s_without_text"] = len(ids - set(read_texts(path)))
    if (folder / "images.csv").is_file():
        found["items_without_picture"] = len(items - set(read_images(folder)))
    return found
