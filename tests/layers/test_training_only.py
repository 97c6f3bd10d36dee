"""Weights that only a loss uses are not saved."""
from __future__ import annotations

import torch
from torch import nn

from recbole_medmoe.layers.training_only import TrainingOnly


def _model(*names: str) -> nn.ModuleDict:
    return nn.ModuleDict({"body": nn.Linear(2, 2),
                          "guides": TrainingOnly({name: nn.Sequential(nn.Linear(2, 3)) for name in names})})


def test_they_learn_and_are_not_saved() -> None:
    model = _model("guide")
    assert sum(weight.numel() for weight in model.parameters()) == 6 + 9
    assert set(model.state_dict()) == {"body.weight", "body.bias"}


def test_loading_leaves_them_as_they_are() -> None:
    model, other = _model("guide"), _model("guide", "more")
    kept = other["guides"]["guide"][0].weight.detach().clone()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other["body"].weight, model["body"].weight)
    assert torch.equal(other["guides"]["guide"][0].weight, kept)


def test_a_model_without_them_loads_as_well() -> None:
    model, bare = _model("guide"), _model()
    bare.load_state_dict(model.state_dict())
    assert torch.equal(bare["body"].weight, model["body"].weight)
