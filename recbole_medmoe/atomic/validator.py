"""Checks a data set folder before anything reads it, and tells all faults at once."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Collection, Sequence

from ..errors import DataError, nearest
from ..paths import dataset_splits
from .candidates import scan_candidates
from .faults import AtomicError, Fault, fault_at
from .layout import PARTS, inter_path, label_variants
from .manifest import changed_files, read_manifest, remedy, run_files
from .pictures import check_candidates, check_images
from .table import RawTable, example_line, scan
from .texts import TEXT_EXAMPLE, scan_texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TAKEN_FOR_MISSING", "validate_folder"]
# What pandas, and so RecBole, reads as a missing value.
TAKEN_FOR_MISSING = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
                     "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]


def validate_folder(folder: str | Path, splits: Sequence[str] | None = None, user: str = "user_id",
                    item: str = "item_id", labels: str | None = None) -> None:
    """Checks every file that a run on these splits reads.

    A folder whose files all have the hashes of its manifest was checked when it was made and is not read again.

    Args:
        folder: the data set folder.
        splits: pre-split triples to check; None checks all that the folder offers, with all label variants of them,
            an empty list only ``<name>.inter``.
        user, item: names of the id columns.
        labels: a label variant whose triples of ``splits`` are checked in place of the splits' own.

    Raises:
        DataError: an unknown split or label variant, or all faults (up to 20 in the message) with file, line, column,
            rule and a right line. It shows item ids and file names, never what a cell says of a patient.
    """
    folder = Path(folder).resolve()
    offered = dataset_splits(folder)
    chosen = offered if splits is None else list(splits)
    for split in chosen:
        if not any(folder.glob(f"{folder.name}.{split}.*.inter")):
            raise DataError(f"{folder}: no split '{split}'{nearest(split, offered)}")
    variants = label_variants(folder)
    if labels and labels not in variants:
        raise DataError(f"{folder}: no label variant '{labels}'{nearest(labels, variants)}")
    asked = [labels] if labels or splits is not None else [None, *variants]
    triples = [(split, variant) for variant in asked for split in chosen
               if splits is not None or any(inter_path(folder, split, part, variant).is_file() for part in PARTS)]
    needed = sorted({name for split, variant in [*triples, (None, None)]
                     for name in run_files(folder, split, variant)})
    faults, trusted = _against_manifest(folder, needed)
    check = _Check(folder, user, item, trusted)
    if splits is None:
        check.strays(offered)
    if set(needed) - trusted:
        check.all(triples)
    faults += check.faults
    if faults:
        raise AtomicError(folder, faults)


def _against_manifest(folder: Path, needed: Collection[str]) -> tuple[list[Fault], set[str]]:
    """Faults of needed files that differ from the manifest, and the files that do not."""
    if not (folder / "manifest.json").is_file():
        return [], set()
    manifest = read_manifest(folder)
    tables = {name for name in manifest.files if name.startswith("images/") or name == "images.csv"}
    wanted = {name: entry for name, entry in manifest.files.items() if name in needed or name in tables}
    changed = changed_files(folder, manifest.model_copy(update={"files": wanted}))
    faults = [Fault(name, rule, example=remedy(folder)) for name, rule in changed.items()]
    return faults, set(wanted) - set(changed)


class _Check:
    """One pass over a folder: tables are read once and kept, faults are collected."""

    def __init__(self, folder: Path, user: str, item: str, trusted: Collection[str]) -> None:
        self.folder, self.name = folder, folder.name
        self.user, self.item = user, item
        self.trusted = trusted
        self.faults: list[Fault] = []
        self.own: dict[str, list[str]] | None = None  # candidates of each user, where users have their own

    def strays(self, splits: Sequence[str]) -> None:
        """Folders of texts and triples of variants that belong to no split: nothing would ever read them."""
        for path in sorted((self.folder / "text").glob("*/*.jsonl")):
            if path.parent.name not in splits:
                file, split = path.relative_to(self.folder).as_posix(), path.parent.name
                self.faults.append(Fault(file, f"unknown split '{split}'{nearest(split, splits)}"))
        tails = tuple(f".{part}.inter" for part in PARTS)
        for path in sorted((self.folder / "labels").glob("*/*")):
            split = path.name.removeprefix(f"{self.name}.").rsplit(".", 2)[0]
            if not (path.name.startswith(f"{self.name}.") and path.name.endswith(tails) and split in splits):
                right = f"labels/{path.parent.name}/{self.name}.{splits[0] if splits else 'split'}.train.inter"
                rule = "a label variant holds <name>.<split>.<train, valid or test>.inter of a split of the data set"
                self.faults.append(Fault(path.relative_to(self.folder).as_posix(), rule, example=right))

    def all(self, triples: Sequence[tuple[str, str | None]]) -> None:
        """The side files first: they say which ids are known."""
        users = self._side("user", self.user)
        items = self._side("item", self.item)
        if (self.folder / "candidates.csv").is_file():
            self.own, faults = scan_candidates(self.folder, self.user, self.item, users, items)
            self.faults += faults
        if (self.folder / f"{self.name}.inter").is_file():
            self._interactions(f"{self.name}.inter", users, items)
        elif not triples:
            self.faults.append(Fault(f"{self.name}.inter", "the file is missing, and so is every pre-split triple",
                                     example=f"{self.user}:token\t{self.item}:token"))
        tokens: dict[str, tuple[set[str], set[str]]] = {}  # split -> users and items of its rows
        for split, labels in triples:
            seen = self._split(split, labels, users, items)
            for all_of, some in zip(tokens.setdefault(split, (set(), set())), seen):
                all_of |= some
        for side, ids in (("user", users), ("item", items)):
            self._texts(f"text/{side}.jsonl", side, ids)
            for split, seen in tokens.items():
                self._texts(f"text/{split}/{side}.jsonl", side, ids, split, seen[side == "item"])
        if (self.folder / "images.csv").is_file():
            self.faults += check_images(self.folder, items, self.trusted)

    def _scan(self, file: str, columns: Sequence[str]) -> RawTable | None:
        """Reads a table; None where its columns cannot be used."""
        table = scan(self.folder / file, "\t".join(f"{column}:token" for column in columns))
        self.faults += table.faults
        if not table.types:
            return None
        right = "\t".join([f"{column}:token" for column in columns]
                          + [f"{name}:{kind}" for name, kind in table.types.items() if name not in columns])
        usable = True
        for column in columns:
            if column not in table.types:
                self.faults.append(Fault(file, f"missing column '{column}'", 1, column, right))
                usable = False
            elif table.types[column] != "token":
                rule = f"wrong type: an id column is token, not {table.types[column]}"
                self.faults.append(Fault(file, rule, 1, column, right))
                usable = False
            else:
                self._mark(file, table, table.cells[column].isin(TAKEN_FOR_MISSING),
                           "the id is empty or a word that is read as a missing value (NA, nan, null, None)", column)
        return table if usable else None

    def _mark(self, file: str, table: RawTable, wrong: pd.Series, rule: str, column: str | None = None) -> None:
        """Adds one fault for all rows that are marked."""
        if wrong.any():
            lines = table.lines[wrong.to_numpy(dtype=bool)].tolist()
            self.faults.append(fault_at(file, lines, rule, column, example_line(table.types)))

    def _side(self, side: str, column: str) -> set[str] | None:
        """Ids of ``.user`` or ``.item``; None where there is no such file or it has no ids."""
        file = f"{self.name}.{side}"
        if not (self.folder / file).is_file():
            return None
        table = self._scan(file, [column])
        if table is None:
            return None
        if not len(table.cells) and not table.faults:
            rule = "the file has a header but no rows"
            self.faults.append(Fault(file, rule, example=example_line(table.types)))
        twice = table.cells[column].duplicated()
        self._mark(file, table, twice, "duplicate row: the id comes in an earlier line", column)
        return set(table.cells[column])

    def _interactions(self, file: str, users: set[str] | None, items: set[str] | None) -> RawTable | None:
        table = self._scan(file, [self.user, self.item])
        if table is None:
            return None
        if not len(table.cells) and not table.faults:
            rule = "empty split: the file has a header but no rows"
            self.faults.append(Fault(file, rule, example=example_line(table.types)))
        self._mark(file, table, table.cells.duplicated(), "duplicate row: the same as an earlier line")
        if users is not None:
            unknown = ~table.cells[self.user].isin(users)
            self._mark(file, table, unknown, f"unknown id: no such user in {self.name}.user", self.user)
        if items is not None:
            unknown = ~table.cells[self.item].isin(items)
            first = f" ('{table.cells[self.item][unknown].iloc[0]}')" if unknown.any() else ""
            self._mark(file, table, unknown, f"unknown id: no such item{first} in {self.name}.item", self.item)
        if self.own is not None:
            self._choices(file, table, self.own)
        return table

    def _choices(self, file: str, table: RawTable, own: dict[str, list[str]]) -> None:
        """Rows of users that have candidates of their own: each user has some, and each item is one of them."""
        without = ~table.cells[self.user].isin(own)
        self._mark(file, table, without, "the user has no candidates in candidates.csv", self.user)
        known = {f"{user}\t{item}" for user, items in own.items() for item in items}
        outside = ~without & ~(table.cells[self.user] + "\t" + table.cells[self.item]).isin(known)
        self._mark(file, table, outside, "the item is none of the user's candidates in candidates.csv", self.item)

    def _split(self, split: str, labels: str | None, users: set[str] | None,
               items: set[str] | None) -> tuple[set[str], set[str]]:
        """The three parts have the same header and share no (user, item) row; gives the users and items of the rows."""
        parts: dict[str, RawTable] = {}
        files = {part: inter_path(self.folder, split, part, labels).relative_to(self.folder).as_posix()
                 for part in PARTS}
        for part, file in files.items():
            if not (self.folder / file).is_file():
                self.faults.append(Fault(file, f"the file is missing: split '{split}' needs train, valid and test"))
                continue
            table = self._interactions(file, users, items)
            if table is not None:
                for earlier, other in parts.items():
                    self._apart(file, table, files[earlier], other)
                parts[part] = table
        if (self.folder / f"{self.name}.{split}.candidates.csv").is_file():
            truth: dict[str, Any] = {part: set(parts[part].cells[self.item]) for part in PARTS[1:] if part in parts}
            self.faults += check_candidates(self.folder, split, items, truth)
        seen_users, seen_items = (set().union(*(table.cells[column] for table in parts.values()))
                                  for column in (self.user, self.item))
        return seen_users, seen_items

    def _apart(self, file: str, table: RawTable, other_file: str, other: RawTable) -> None:
        if table.types != other.types:
            right = "\t".join(f"{name}:{kind}" for name, kind in other.types.items())
            self.faults.append(Fault(file, f"bad header: it differs from that of {other_file}", 1, example=right))
        pairs, earlier = (rows.cells[self.user] + "\t" + rows.cells[self.item] for rows in (table, other))
        self._mark(file, table, pairs.isin(set(earlier)), f"leakage: the same user and item are in {other_file}")

    def _texts(self, name: str, side: str, ids: set[str] | None, split: str = "",
               needed: Collection[str] = ()) -> None:
        """Ids of a text file are known, and a split's own file has a text for each id of its rows (``needed``)."""
        path = self.folder / name
        if not path.is_file():
            return
        texts, lines, faults = scan_texts(path, name)
        self.faults += faults
        unknown = [lines[key] for key in texts if ids is not None and key not in ids]
        if unknown:
            rule = f"unknown id: no such {side} in {self.name}.{side}"
            self.faults.append(fault_at(name, unknown, rule, "id", TEXT_EXAMPLE))
        lost = len(set(needed) - texts.keys())
        if lost and not faults:
            rule = (f"{lost} of the {len(set(needed))} {side}s of split '{split}' have no text; this file is read in "
                    f"place of text/{side}.jsonl")
            self.faults.append(Fault(name, rule, example=TEXT_EXAMPLE))
