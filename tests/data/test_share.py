"""Which training users a share keeps."""
from __future__ import annotations

import pytest
import torch

from recbole_medmoe.data.share import kept_users, recount

TOKENS = [f"p{number:04d}" for number in range(200)]


def test_a_smaller_share_lies_inside_a_larger_one() -> None:
    kept = [kept_users(TOKENS, share, seed=3) for share in (0.05, 0.1, 0.3, 1.0)]
    assert [len(some) for some in kept] == [10, 20, 60, 200]
    assert all(small < large for small, large in zip(kept, kept[1:]))


def test_the_order_of_the_users_does_not_matter() -> None:
    assert kept_users(TOKENS[::-1], 0.3, seed=3) == kept_users(TOKENS, 0.3, seed=3)


def test_another_seed_draws_other_users() -> None:
    assert kept_users(TOKENS, 0.3, seed=3) != kept_users(TOKENS, 0.3, seed=4)


def test_the_rule_is_the_published_one() -> None:
    assert kept_users(["a", "b", "c"], 1 / 3, seed=0) == {"c"}  # sha256 of "train_share|0|c" is the smallest


@pytest.mark.parametrize("share", [1e-6, 0.001])
def test_one_user_is_always_left(share: float) -> None:
    assert len(kept_users(TOKENS, share, seed=0)) == 1


def test_counts_follow_what_is_left() -> None:
    counted = {"items_per_user": {"train": 9.0, "test": 2.0}, "users_only_in_test": 0, "items_only_in_test": 0,
               "groups": {"cold_patient": 0, "warm_patient": 3, "cold_item": 0, "condition:gout": 2}}
    seen = torch.tensor([False, True, True, False]), torch.tensor([False, True, False])
    found = recount(counted, seen, (torch.tensor([1, 2, 3]), torch.tensor([1, 2])), train_rows=5)
    assert found == {"items_per_user": {"train": 2.5, "test": 2.0}, "users_only_in_test": 1, "items_only_in_test": 1,
                     "groups": {"cold_patient": 1, "warm_patient": 2, "cold_item": 1, "condition:gout": 2}}
