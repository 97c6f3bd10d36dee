"""Scores of lists without an order are means over several."""
from __future__ import annotations

from typing import Any, Callable

import torch

from recbole_medmoe.evaluation import evaluate_full_sort

Maker = Callable[..., Any]


def test_a_rows_scores_are_the_mean_over_the_orders_of_its_list(food_data: Maker, monkeypatch: Any) -> None:
    config, train, _, test = food_data("GRU4Rec", "warm", orders=3)
    model = config.spec.load()(config, train._dataset)
    seen: list[torch.Tensor] = []
    monkeypatch.setattr("recbole_medmoe.evaluation.evaluator.forbid", lambda scores, _: seen.append(scores.clone()))
    evaluate_full_sort(model, test, topk=[5], metrics=["Recall"], device="cpu")
    (users, *_), = list(test)
    with torch.no_grad():
        each = [model.full_sort_predict(view).view(len(users), -1) for view in test._dataset.arrangements(users)]
    assert torch.allclose(seen[0], sum(each) / 3) and not torch.allclose(each[0], each[1])


def test_users_in_small_batches_score_as_in_large_ones(food_data: Maker) -> None:
    found = []
    for size in (13, 4096):
        config, train, _, test = food_data("GRU4Rec", "warm", eval_batch_size=size)
        torch.manual_seed(0)
        model = config.spec.load()(config, train._dataset)
        found.append(evaluate_full_sort(model, test, topk=[5], metrics=["NDCG"], device="cpu"))
    assert (found[0].topk_items == found[1].topk_items).all()
