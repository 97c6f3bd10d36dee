"""ConditionLookup."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.errors import ConfigError

Maker = Callable[..., Any]


def _truth(train: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Training users and their items [N, I]."""
    part = train._dataset
    targets = torch.zeros(31, 13)
    targets[part.inter_feat["user_id"], part.inter_feat["item_id"]] = 1
    users = part.train_users.nonzero().squeeze(-1)
    return users, targets[users]


def test_a_known_set_of_codes_gets_the_mean_of_its_patients(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("ConditionLookup", smoothing=0.0, least_patients=1)
    fit(model, train)
    users, targets = _truth(train)
    codes = model.read("user", model.user_inputs(users))
    same = (codes == codes[0]).all(-1)
    scores = model.full_sort_predict({"user_id": users[:1]})
    assert torch.allclose(scores, targets[same].mean(0), atol=1e-6)


def test_a_set_that_is_too_rare_falls_back_on_single_codes(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("ConditionLookup", smoothing=0.0, least_patients=99)
    fit(model, train)
    users, targets = _truth(train)
    codes = model.read("user", model.user_inputs(users))
    own = codes[0].nonzero().squeeze(-1)
    wanted = torch.stack([targets[codes[:, code] > 0].mean(0) for code in own]).mean(0)
    assert len(model.groups) == 0
    assert torch.allclose(model.full_sort_predict({"user_id": users[:1]}), wanted, atol=1e-6)


def test_a_patient_without_codes_gets_popularity(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("ConditionLookup")
    fit(model, train)
    width = model.width("user")
    scores = model.score_features({"codes": (torch.zeros(1, width), torch.ones(1, dtype=torch.bool))})
    assert torch.allclose(scores[0], _truth(train)[1].mean(0), atol=1e-6)


def test_smoothing_draws_a_small_group_towards_the_single_codes(built: Maker, fit: Maker) -> None:
    scores = []
    for smoothing in (0.0, 1.0, 1e6):
        model, train, _, _ = built("ConditionLookup", smoothing=smoothing, least_patients=1)
        fit(model, train)
        scores.append(model.full_sort_predict({"user_id": _truth(train)[0][:1]}))
    assert (scores[1] - scores[0]).norm() < (scores[2] - scores[0]).norm()


def test_no_single_patient_stands_in_the_saved_table(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("ConditionLookup")
    fit(model, train)
    assert (model.state_dict()["sizes"] >= 2).all()


def test_items_without_training_rows_are_refused(built: Maker) -> None:
    with pytest.raises(ConfigError, match="ConditionLookup knows items by their training rows"):
        built("ConditionLookup", "cold_item0")
