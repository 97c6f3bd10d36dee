"""Accuracy of questions over their own options."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
import torch

from recbole_medmoe.errors import TrainingError
from recbole_medmoe.evaluation.choices import choice_columns, evaluate_choices
from recbole_medmoe.evaluation.ratios import means

METRICS = ["Accuracy", "MacroAccuracy", "BlindAccuracy", "MRR"]


class Fixed(torch.nn.Module):
    """Scores of every question and item, given beforehand."""

    def __init__(self, scores: torch.Tensor) -> None:
        super().__init__()
        self.scores = scores

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        return self.scores[interaction["user_id"]].flatten()


class ByPairs(Fixed):
    """The same scores for pairs only; notes how many it was asked for."""

    from recbole.model.abstract_recommender import AbstractRecommender

    full_sort_predict = AbstractRecommender.full_sort_predict
    asked = 0

    def predict(self, interaction: Any) -> torch.Tensor:
        self.asked += len(interaction)
        return self.scores[interaction["user_id"], interaction["item_id"]]


@pytest.fixture
def test_part(choice_data: Callable[..., Any]) -> Any:
    return choice_data("DeepFM")[3]


def _evaluate(model: Any, loader: Any, metrics: list[str] = METRICS, topk: tuple[int, ...] = (1, 3)) -> Any:
    dataset = loader._dataset
    return evaluate_choices(model, loader, topk=topk, metrics=metrics, device="cpu", options=dataset.options,
                            tasks=dataset.tasks)


def _scores(loader: Any, seed: int = 0) -> torch.Tensor:
    return torch.randn(loader._dataset.user_num, loader._dataset.item_num,
                       generator=torch.Generator().manual_seed(seed))


def test_values_are_those_of_a_naive_loop(test_part: Any) -> None:
    scores, dataset = _scores(test_part), test_part._dataset
    found = _evaluate(Fixed(scores), test_part)
    right = dict(zip(dataset.inter_feat["user_id"].tolist(), dataset.inter_feat["item_id"].tolist()))
    assert len(found.row_ids) == len(right) == 7
    ranks = []
    for question in found.row_ids.tolist():
        order = sorted(dataset.options.row(question), key=lambda item: -scores[question, item].item())
        ranks.append(order.index(right[question]) + 1)
    accuracy = np.array([rank == 1 for rank in ranks], dtype=float)
    assert found.columns["accuracy"].tolist() == accuracy.tolist()
    assert found.columns["mrr@3"].tolist() == [1 / rank if rank <= 3 else 0 for rank in ranks]
    tasks = np.array([dataset.tasks[question] for question in found.row_ids])
    by_task = [accuracy[tasks == task].mean() for task in sorted(set(tasks))]
    assert found.metrics["macroaccuracy"] == pytest.approx(np.mean(by_task), abs=1e-12)
    assert found.metrics["blindaccuracy"] == pytest.approx(
        np.mean([1 / len(dataset.options.row(question)) for question in found.row_ids.tolist()]))


def test_metrics_come_in_the_order_asked_for(test_part: Any) -> None:
    found = _evaluate(Fixed(_scores(test_part)), test_part, ["MRR", "MacroAccuracy", "Accuracy"])
    assert list(found.metrics) == ["mrr@1", "mrr@3", "macroaccuracy", "accuracy"]


def test_lists_hold_own_options_only_and_end_with_padding(test_part: Any) -> None:
    found = _evaluate(Fixed(_scores(test_part)), test_part, topk=(6,))
    for question, listed in zip(found.row_ids.tolist(), found.topk_items.tolist()):
        own = test_part._dataset.options.row(question)
        assert sorted(listed[:len(own)]) == sorted(own) and listed[len(own):] == [0] * (6 - len(own))


def test_a_model_of_pairs_is_asked_for_own_options_alone_and_scores_the_same(test_part: Any) -> None:
    scores = _scores(test_part)
    model = ByPairs(scores)
    found, whole = _evaluate(model, test_part), _evaluate(Fixed(scores), test_part)
    assert found.metrics == whole.metrics and (found.topk_items == whole.topk_items).all()
    assert model.asked == int(test_part._dataset.options.sizes[torch.from_numpy(found.row_ids)].sum())


def test_ties_are_drawn_and_do_not_follow_the_order_of_options(choice_data: Callable[..., Any]) -> None:
    loader = choice_data("DeepFM")[3]
    dataset = loader._dataset
    found = _evaluate(Fixed(torch.zeros(dataset.user_num, dataset.item_num)), loader, topk=(1,))
    firsts = [dataset.options.row(question).index(item)
              for question, (item,) in zip(found.row_ids.tolist(), found.topk_items.tolist())]
    assert len(set(firsts)) > 1
    again = _evaluate(Fixed(torch.zeros(dataset.user_num, dataset.item_num)), loader, topk=(1,))
    assert (again.topk_items == found.topk_items).all()


def test_batches_do_not_show(choice_data: Callable[..., Any]) -> None:
    one, all_at_once = (choice_data("DeepFM", eval_batch_size=size)[3] for size in (1, 10_000))
    nothing = torch.zeros(one._dataset.user_num, one._dataset.item_num)
    assert (_evaluate(Fixed(nothing), one).topk_items == _evaluate(Fixed(nothing), all_at_once).topk_items).all()


def test_scores_that_are_no_numbers_are_refused(test_part: Any) -> None:
    with pytest.raises(TrainingError, match="not numbers"):
        _evaluate(Fixed(_scores(test_part) * torch.nan), test_part)


def test_an_unknown_metric_is_refused(test_part: Any) -> None:
    with pytest.raises(ValueError, match="metrics of choices are Accuracy"):
        _evaluate(Fixed(_scores(test_part)), test_part, ["Jaccard"])


def test_the_macro_average_of_one_task_is_its_accuracy() -> None:
    right = np.array([True, False, True, True])
    columns = choice_columns(right, np.array([2, 2, 4, 4]), ["a", "a", "b", "b"], ["accuracy", "macroaccuracy"])
    assert means(columns)["macroaccuracy"] == pytest.approx(0.75)
    assert means(columns, np.array([True, True, False, False]))["macroaccuracy"] == pytest.approx(0.5)
