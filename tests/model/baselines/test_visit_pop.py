"""VisitPop and RepeatLast."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

Maker = Callable[..., Any]


@pytest.fixture
def solved(visit_data: Maker, fit: Maker) -> Maker:
    def make(name: str) -> tuple[Any, Any]:
        config, train, _, _ = visit_data(name)
        model = config.spec.load()(config, train._dataset)
        fit(model, train)
        return model, train._dataset

    return make


def test_popularity_is_the_log_odds_of_training_visits(solved: Maker) -> None:
    model, dataset = solved("VisitPop")
    trained = dataset.train_users.nonzero().squeeze(-1)
    counts = dataset.visit_truth(trained).sum(0)
    wanted = torch.log((counts + 0.5) / (len(trained) - counts + 0.5))
    scores = model.forward(model.user_inputs(torch.tensor([1, 5])), {})
    assert torch.allclose(scores, wanted.expand(2, -1), atol=1e-5)


def test_the_last_set_is_repeated_before_all_others(solved: Maker) -> None:
    model, dataset = solved("RepeatLast")
    popularity = solved("VisitPop")[0].popularity
    visits = torch.arange(1, len(dataset.user_tokens))
    scores = model.forward(model.user_inputs(visits), {})
    for visit, row in zip(visits.tolist(), scores):
        history = dataset.visits.history.row(visit)
        if not history:
            assert torch.equal(row, popularity)
            continue
        last = dataset.visit_truth(torch.tensor(history[-1:]))[0]
        assert torch.equal(row > popularity, last) and torch.equal(row < popularity, ~last)
        assert row[last].min() > popularity.max() and row[~last].max() < popularity.min()
        assert row[last].argsort().equal(popularity[last].argsort())


def test_an_earlier_visit_without_medications_repeats_nothing(solved: Maker) -> None:
    model, _ = solved("RepeatLast")
    known, unknown = ({"diag": None, "proc": None, "earlier": earlier} for earlier in ([{"diag": ["gout"]}], None))
    scores = model.score_features(model.patients().encode([known, unknown]))
    assert (scores[0] < model.popularity.min()).all() and torch.equal(scores[1], model.popularity)
