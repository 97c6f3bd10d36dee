"""FeatureRidge."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeCV

from recbole_medmoe.errors import ConfigError

Maker = Callable[..., Any]
PENALTIES = [0.01, 0.1, 1.0, 10.0]


def test_scores_equal_scikit_learns_ridge(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("FeatureRidge", user_features=["text", "llm"], penalties=PENALTIES)
    fit(model, train)
    part = train._dataset
    users = part.train_users.nonzero().squeeze(-1)
    targets = np.zeros((31, 13))
    targets[part.inter_feat["user_id"].numpy(), part.inter_feat["item_id"].numpy()] = 1
    x = model.read("user", model.user_inputs(torch.arange(31)))
    known = RidgeCV(alphas=PENALTIES).fit(x[users].numpy(), targets[users])
    scores = model.full_sort_predict({"user_id": torch.arange(31)}).view(31, 13)
    assert np.allclose(scores.numpy(), known.predict(x.numpy()), atol=1e-4)


def test_identity_refuses_items_without_training_rows(built: Maker) -> None:
    with pytest.raises(ConfigError, match="FeatureRidge .* 4 items without any; set --item_side=features"):
        built("FeatureRidge", "cold_item0")


def test_features_of_items_rank_those_that_training_never_saw(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("FeatureRidge", "cold_item0", item_side="features")
    fit(model, train)
    part = train._dataset
    user, (wanted, other) = part.user_tokens.index("p0002"), [part.item_tokens.index(item) for item in ("fig", "lemon")]
    scores = model.full_sort_predict({"user_id": torch.tensor([user])})
    assert scores[wanted] > scores[other]   # p0002 has diabetes, which wants figs, and no anaemia


def test_the_solution_is_saved_but_no_optimiser_moves_it(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("FeatureRidge")
    fit(model, train, 1)
    once = model.weights.clone()
    fit(model, train, 3)
    assert torch.equal(model.weights, once) and "weights" in model.state_dict()
    assert [name for name, value in model.named_parameters() if value.requires_grad] == ["fake_loss"]


def test_pictures_without_an_encoder_are_refused(built: Maker) -> None:
    with pytest.raises(ConfigError, match="needs an image_encoder"):
        built("FeatureRidge", "cold_item0", item_side="features", image_encoder=None)


def test_a_penalty_of_zero_is_refused(food_config: Maker) -> None:
    with pytest.raises(ConfigError, match="every penalty must be above 0"):
        food_config("FeatureRidge", penalties=[0.0, 1.0])
