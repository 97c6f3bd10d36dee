"""The key ``train_share``: which training users stay, and what the statistics say then."""
from __future__ import annotations

import hashlib
from typing import Any, Mapping, Sequence

from torch import Tensor


def kept_users(tokens: Sequence[str], share: float, seed: int) -> set[str]:
    """Training users that a share keeps: ``round(share * N)``, at least one, first in the order of a keyed hash.

    A smaller share lies inside a larger one of the same seed, so that the points of a learning curve differ by what
    was added; another seed draws other users.

    Args:
        tokens: N distinct users with a training row.
        share: above 0, at most 1.
        seed: of the run.
    """
    ranked = sorted(tokens, key=lambda token: hashlib.sha256(f"train_share|{seed}|{token}".encode()).hexdigest())
    return set(ranked[:max(1, round(share * len(ranked)))])


def recount(counted: Mapping[str, Any], seen: tuple[Tensor, Tensor], tested: tuple[Tensor, Tensor],
            train_rows: int) -> dict[str, Any]:
    """Counts of the folder that a share of the training users changes.

    Args:
        counted: statistics of the whole split.
        seen: [U] and [I] bool, what has a training row now.
        tested: distinct user ids and item ids of the test rows.
        train_rows: training rows now.
    """
    new_users, new_items = (int((~mask[ids]).sum()) for mask, ids in zip(seen, tested))
    kept = int(seen[0].sum())
    changed: dict[str, Any] = {"items_per_user": {**counted["items_per_user"], "train": round(train_rows / kept, 2)}}
    if "groups" in counted:
        changed |= {"users_only_in_test": new_users, "items_only_in_test": new_items, "groups": {
            **counted["groups"], "cold_patient": new_users, "warm_patient": len(tested[0]) - new_users,
            "cold_item": new_items}}
    return changed
