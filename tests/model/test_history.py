"""HistoryRecommender: rows that bring a list of items each."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch
from recbole.data.interaction import Interaction

from recbole_medmoe.data import FeatureRequest
from recbole_medmoe.model.base import Features, ModelParams
from recbole_medmoe.model.history import HistoryRecommender


class _Sum(HistoryRecommender):
    """Scores an item by a learned number of each item of the list."""

    Params = ModelParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.effect = torch.nn.Parameter(torch.randn(self.n_items, self.n_items))

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return (FeatureRequest("profile", "user", "profile"),)

    def forward(self, users: Features, items: Features) -> torch.Tensor:
        lists, there = users["history"]
        assert torch.equal(there, lists.any(-1)) and "profile" in users
        return (self.effect[lists] * (lists > 0).unsqueeze(-1)).sum(1)


@pytest.fixture
def model(food_data: Callable[..., Any]) -> _Sum:
    config, train, _, _ = food_data("SASRec", "warm")
    return _Sum(config, train._dataset)


def _rows() -> Interaction:
    """The same user with two lists, and another."""
    return Interaction({"user_id": torch.tensor([1, 1, 2]), "item_id": torch.tensor([5, 6, 7]),
                        "item_id_list": torch.tensor([[1, 2], [3, 0], [1, 0]]), "item_length": torch.tensor([2, 1, 1])})


def test_each_row_is_scored_with_its_own_list(model: _Sum) -> None:
    wanted = torch.stack([model.effect[1] + model.effect[2], model.effect[3], model.effect[1]])
    torch.testing.assert_close(model.full_sort_predict(_rows()).view(3, -1), wanted)
    torch.testing.assert_close(model.predict(_rows()), wanted[torch.arange(3), torch.tensor([5, 6, 7])])


def test_the_loss_is_that_of_each_rows_item_over_the_catalogue(model: _Sum) -> None:
    scores = model.full_sort_predict(_rows()).view(3, -1)[:, 1:]
    wanted = torch.nn.functional.cross_entropy(scores, torch.tensor([4, 5, 6]))
    torch.testing.assert_close(model.calculate_loss(_rows()), wanted)
