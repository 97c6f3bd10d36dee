"""HalvesAverage and LLMPair: what they average, and what their members have in common."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.config.loading import read_yaml
from recbole_medmoe.paths import properties_dir

Maker = Callable[..., Any]
ENSEMBLES = ["HalvesAverage", "LLMPair"]


def _defaults(name: str) -> dict[str, Any]:
    return dict(read_yaml(properties_dir() / "model" / f"{name}.yaml").values)


def test_the_halves_agree_on_every_key_that_both_have() -> None:
    moe, llm = _defaults("MoEOnly"), _defaults("LLMOnly")
    assert {key: moe[key] for key in moe.keys() & llm.keys()} == {key: llm[key] for key in moe.keys() & llm.keys()}


def test_the_average_trains_its_halves_with_their_own_values() -> None:
    assert _defaults("HalvesAverage") == _defaults("MoEOnly") | _defaults("LLMOnly")


def test_the_pair_trains_its_members_with_their_own_values() -> None:
    assert {key: value for key, value in _defaults("LLMPair").items() if key != "seed_step"} == _defaults("LLMOnly")


@pytest.mark.parametrize("name", ENSEMBLES)
def test_the_score_is_the_mean_of_the_members_scores(built: Maker, name: str) -> None:
    model, train, _, _ = built(name)
    users, items = model.eval().user_inputs(train._dataset.train_users.nonzero().squeeze(-1)), model.item_inputs()
    one, other = (member(member.user_inputs(train._dataset.train_users.nonzero().squeeze(-1)), member.item_inputs())
                  for member in model.members.values())
    assert torch.allclose(model(users, items), (one + other) / 2) and not torch.equal(one, other)


@pytest.mark.parametrize("name", ENSEMBLES)
def test_each_member_learns_from_its_own_loss_alone(built: Maker, name: str) -> None:
    model, train, _, _ = built(name)
    losses = model.calculate_loss(next(iter(train)))
    for loss, member, other in zip(losses, model.members.values(), reversed(model.members.values())):
        model.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in member.branch.parameters())
        assert all(parameter.grad is None for parameter in other.parameters())


@pytest.mark.parametrize("name", ENSEMBLES)
def test_nothing_is_saved_beside_the_members(built: Maker, name: str) -> None:
    model, _, _, _ = built(name)
    assert {key.split(".")[0] for key in model.state_dict()} == {"members"}


def test_the_average_reads_what_its_halves_read(built: Maker) -> None:
    model, _, _, _ = built("HalvesAverage")
    assert model.requests == model.members["moe"].requests + model.members["llm"].requests


def test_the_average_tells_what_its_experts_do(built: Maker) -> None:
    model, train, _, _ = built("HalvesAverage", experts=3)
    users = model.user_inputs(train._dataset.train_users.nonzero().squeeze(-1))
    assert model.diagnostics(users, model.item_inputs())["experts"].shape == (20, 3)


def test_the_pairs_seeds_differ_and_those_of_the_halves_do_not(built: Maker) -> None:
    assert built("LLMPair", seed_step=7)[0].member_seeds(2) == {"first": 2, "second": 9}
    assert built("HalvesAverage")[0].member_seeds(2) == {"moe": 2, "llm": 2}
