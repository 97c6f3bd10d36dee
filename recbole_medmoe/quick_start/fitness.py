"""Which models a split has nothing to offer: refused before any training, with the splits that work."""
from __future__ import annotations

from pathlib import Path
from typing import Sequence

from .. import paths
from ..atomic import inter_path, read_atomic
from ..errors import ConfigError
from ..registry import KNOWN_USERS, SEQUENCES, ModelSpec


def strangers(folder: Path, split: str, labels: str | None = None) -> tuple[bool, bool]:
    """Whether no test user, and whether no test item, has a training row in this split; visits count as their patient.
    """
    train, test = (read_atomic(inter_path(folder, split, part, labels)) for part in ("train", "test"))
    path, owner = folder / f"{folder.name}.user", {}
    users = read_atomic(path) if path.is_file() else None
    if users is not None and "patient_id" in users:
        owner = dict(zip(users.iloc[:, 0], users["patient_id"]))
    known, tested = ({owner.get(user, user) for user in rows.iloc[:, 0]} for rows in (train, test))
    unknown = [not known & tested, not set(train.iloc[:, 1]) & set(test.iloc[:, 1])]  # users, items
    return unknown[0], unknown[1]


def without_history(folder: Path, split: str) -> int | None:
    """How many visits that a split scores have no visit known to be earlier; None where users are no visits."""
    path = folder / f"{folder.name}.user"
    users = read_atomic(path) if path.is_file() else None
    if users is None or "earlier" not in users:
        return None
    first = {user for user, earlier in zip(users.iloc[:, 0], users["earlier"]) if not len(earlier)}
    scored = {user for part in ("valid", "test") for user in read_atomic(inter_path(folder, split, part)).iloc[:, 0]}
    return len(first & scored)


def without_given(folder: Path, split: str, labels: str | None = None) -> int:
    """How many users that a split scores have no training row."""
    parts = {part: set(read_atomic(inter_path(folder, split, part, labels)).iloc[:, 0])
             for part in ("train", "valid", "test")}
    return len((parts["valid"] | parts["test"]) - parts["train"])


def _order_faults(names: Sequence[str], folder: Path, split: str, labels: str | None) -> list[str]:
    """Why models that read lists of items can not be scored on a split."""
    lacking, what, who = without_history(folder, split), "the medications of earlier visits", "visits"
    if lacking is None:
        lacking, what, who = without_given(folder, split, labels), "a user's training items", "users"
    if not lacking:
        return []
    offered = [other for other in paths.dataset_splits(folder) if inter_path(folder, other, "train", labels).is_file()]
    fine = [other for other in offered
            if not (without_history(folder, other) if who == "visits" else without_given(folder, other, labels))]
    remedy = f"splits that work: {', '.join(fine)}" if fine else "this data set has no split that works"
    return [f"{', '.join(names)}: reads {what} alone, and {lacking} {who} that split '{split}' scores have none; "
            f"{remedy}"]


def misfits(specs: Sequence[ModelSpec], folder: Path, split: str | None, labels: str | None = None) -> list[str]:
    """One fault per reason why some of the models can not be scored on a split.

    Args:
        specs: the models; those that need known users know users and items by their ids alone.
        folder: the data set.
        split: None where RecBole splits the rows itself; then users are known.
        labels: the label variant whose rows are scored.
    """
    faults = []
    by_id = [spec.name for spec in specs if KNOWN_USERS in spec.needs]
    if split and by_id:
        new_users, new_items = strangers(folder, split, labels)
        if new_users or new_items:
            kind = "user" if new_users else "item"
            offered = [other for other in paths.dataset_splits(folder)
                       if inter_path(folder, other, "train", labels).is_file()]
            fine = [other for other in offered if not any(strangers(folder, other, labels))]
            own = f"label variant '{labels}'" if labels else "this data set"
            remedy = f"splits that work: {', '.join(fine)}" if fine else f"{own} has no split that works"
            faults.append(f"{', '.join(by_id)}: knows {kind}s only by their ids, and no {kind} in the test rows of "
                          f"split '{split}' has a training row, so there is nothing to rank by; {remedy}")
    ordered = [spec.name for spec in specs if SEQUENCES in spec.needs]
    if split and ordered:
        faults += _order_faults(ordered, folder, split, labels)
    items_by_id = [spec.name for spec in specs if spec.needs == (SEQUENCES,)]
    if split and items_by_id and strangers(folder, split, labels)[1]:
        faults.append(f"{', '.join(items_by_id)}: knows items only by their ids, and no item in the test rows of split "
                      f"'{split}' has a training row, so there is nothing to rank by")
    graph = [spec.name for spec in specs if "knowledge graph" in spec.needs]
    if graph and not (folder / f"{folder.name}.kg").is_file():
        faults.append(f"{', '.join(graph)}: needs a knowledge graph, and there is no {folder.name}.kg in {folder}")
    return faults


def check_fitness(specs: Sequence[ModelSpec], folder: Path, split: str | None, labels: str | None = None) -> None:
    """Refuses models that a split has nothing to offer.

    Raises:
        ConfigError: all of them at once.
    """
    faults = misfits(specs, folder, split, labels)
    if faults:
        raise ConfigError(faults)
