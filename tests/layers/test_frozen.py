"""leave_out_frozen: what is saved, what is put back, and what is refused."""
from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from recbole_medmoe.errors import CheckpointError
from recbole_medmoe.layers import leave_out_frozen

SHA = "0123456789abcdef" * 4


def _whole(sha256: str = SHA, seed: int = 0) -> nn.Module:
    """A part with a frozen and a trained layer, beside a trained layer outside of it."""
    torch.manual_seed(seed)
    part = nn.Sequential(OrderedDict(frozen=nn.Linear(3, 3).requires_grad_(False), trained=nn.Linear(3, 2)))
    leave_out_frozen(part, sha256)
    return nn.ModuleDict({"part": part, "head": nn.Linear(2, 1)})


def test_the_state_holds_what_is_trained_and_a_mark() -> None:
    assert set(_whole().state_dict()) == {"part.trained.weight", "part.trained.bias", "part.frozen_sha256",
                                          "head.weight", "head.bias"}


class _InFourBits(nn.Linear):
    """Puts its scales below its weight's name, as bitsandbytes does."""

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight.absmax"] = torch.ones(2)


def test_scales_of_a_frozen_weight_go_with_it() -> None:
    whole = nn.ModuleDict({"frozen": _InFourBits(3, 3, bias=False).requires_grad_(False), "trained": _InFourBits(3, 2)})
    leave_out_frozen(whole, SHA)
    state = whole.state_dict()
    assert set(state) == {"trained.weight", "trained.weight.absmax", "trained.bias", "frozen_sha256"}


def test_strict_loading_keeps_the_frozen_weights_in_place() -> None:
    source, target = _whole(), _whole(seed=1)
    frozen = target["part"].frozen.weight.clone()
    target.load_state_dict(source.state_dict())
    assert torch.equal(target["part"].frozen.weight, frozen)
    assert torch.equal(target["part"].trained.weight, source["part"].trained.weight)


def test_the_state_given_is_not_changed() -> None:
    state = _whole().state_dict()
    before = set(state)
    _whole().load_state_dict(state)
    assert set(state) == before


def test_a_trained_weight_that_is_missing_is_still_told() -> None:
    state = _whole().state_dict()
    del state["part.trained.bias"]
    with pytest.raises(RuntimeError, match="part.trained.bias"):
        _whole().load_state_dict(state)


def test_other_frozen_weights_are_refused() -> None:
    with pytest.raises(CheckpointError, match="SHA-256 0123456789ab.*here has 111111111111"):
        _whole("1" * 64).load_state_dict(_whole().state_dict())


def test_a_state_without_the_mark_is_refused() -> None:
    state = _whole().state_dict()
    del state["part.frozen_sha256"]
    with pytest.raises(RuntimeError, match="part.frozen_sha256"):
        _whole().load_state_dict(state)
