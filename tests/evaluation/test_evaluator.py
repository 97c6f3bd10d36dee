"""Full-sort evaluation: lists against sorting by hand, metrics against RecBole's Collector and Evaluator."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recbole_medmoe.errors import DataError, TrainingError
from recbole_medmoe.evaluation import evaluator
from recbole_medmoe.evaluation.evaluator import Evaluation, evaluate_full_sort, supports

METRICS = ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP"]
TOPK = [3, 5]
Parts = tuple[Any, Any, Any, Any]


def score(model: Any, loader: Any, **changes: Any) -> Evaluation:
    settings = {"topk": TOPK, "metrics": METRICS, "device": "cpu", **changes}
    return evaluate_full_sort(model, loader, **settings)


def history_and_positives(parts: Parts, user: int) -> tuple[set[int], set[int]]:
    def of(loader: Any) -> set[int]:
        feat = loader._dataset.inter_feat
        return set(feat["item_id"][feat["user_id"] == user].tolist())

    return of(parts[1]) | of(parts[2]), of(parts[3])


def test_lists_hold_the_best_items_that_are_no_history(parts: Parts, model: Any) -> None:
    found = score(model, parts[3])
    for user, items in zip(found.row_ids.tolist(), found.topk_items):
        history, _ = history_and_positives(parts, user)
        free = [item for item in range(1, model.table.shape[1]) if item not in history]
        best = sorted((float(model.table[user, item]) for item in free), reverse=True)[:5]
        assert set(items.tolist()) <= set(free)
        assert model.table[user, items].tolist() == best


def test_each_row_equals_a_loop_over_its_list(parts: Parts, model: Any) -> None:
    found = score(model, parts[3])
    for row, user in enumerate(found.row_ids.tolist()):
        _, positives = history_and_positives(parts, user)
        hits = [item in positives for item in found.topk_items[row].tolist()]
        assert found.columns["recall@5"][row] == pytest.approx(sum(hits) / len(positives), abs=1e-9)
        assert found.columns["precision@3"][row] == pytest.approx(sum(hits[:3]) / 3, abs=1e-9)
        assert found.columns["mrr@5"][row] == pytest.approx(1 / (hits.index(True) + 1) if any(hits) else 0, abs=1e-9)


@pytest.mark.parametrize("phase", [2, 3])
def test_metrics_equal_recboles_collector_and_evaluator(phase: int, parts: Parts, model: Any) -> None:
    from recbole.evaluator import Collector, Evaluator

    config, loader = parts[0], parts[phase]
    config["metric_decimal_place"] = 12
    collector = Collector(config)
    for interaction, history, positive_u, positive_i in loader:
        scores = model.full_sort_predict(interaction).view(len(interaction), -1)
        scores[:, 0] = -np.inf
        scores[history] = -np.inf
        collector.eval_batch_collect(scores, interaction, positive_u, positive_i)
    expected = Evaluator(config).evaluate(collector.get_data_struct())
    assert score(model, loader).metrics == pytest.approx(dict(expected), abs=1e-9)


def test_pooled_metrics_equal_recboles(parts: Parts, model: Any) -> None:
    from recbole.evaluator import Collector, Evaluator

    config, train, _, loader = parts
    names = ["ItemCoverage", "GiniIndex", "ShannonEntropy", "AveragePopularity", "TailPercentage"]
    config["metrics"], config["metric_decimal_place"] = names, 12
    collector = Collector(config)
    collector.data_collect(train)
    for interaction, history, positive_u, positive_i in loader:
        scores = model.full_sort_predict(interaction).view(len(interaction), -1)
        scores[:, 0] = -np.inf
        scores[history] = -np.inf
        collector.eval_batch_collect(scores, interaction, positive_u, positive_i)
    expected = Evaluator(config).evaluate(collector.get_data_struct())
    counts = np.bincount(train._dataset.inter_feat["item_id"].numpy(), minlength=loader._dataset.item_num)
    found = score(model, loader, metrics=names, train_counts=counts)
    assert found.metrics == pytest.approx(dict(expected), abs=1e-9)
    assert set(found.columns) == {f"{name}@{k}" for name in ("averagepopularity", "tailpercentage") for k in TOPK}


def test_the_size_of_a_batch_does_not_change_the_result(parts: Parts, model: Any) -> None:
    whole = score(model, parts[3])
    parts[3].step = 4
    found = score(model, parts[3])
    assert found.metrics == whole.metrics
    assert np.array_equal(found.topk_items, whole.topk_items)


def test_a_loader_with_batches_of_its_own_is_iterated(parts: Parts, model: Any) -> None:
    from recbole.data.dataloader import FullSortEvalDataLoader

    class Own(FullSortEvalDataLoader):
        def collate_fn(self, index: Any) -> Any:
            return super().collate_fn(index)

    own = Own(parts[0], parts[3]._dataset, parts[3]._sampler)
    own.step = 4
    assert score(model, own).metrics == score(model, parts[3]).metrics


def test_rows_with_one_positive_and_no_history_as_in_sequential_loaders(model: Any, parts: Parts) -> None:
    from recbole.data.interaction import Interaction

    class Rows(list):
        uid_field = "user_id"

    users, items = torch.tensor([2, 2, 5]), torch.tensor([7, 9, 4])
    rows = Rows([(Interaction({"user_id": users}), None, torch.arange(3), items)])
    found = score(model, rows, item_num=model.table.shape[1], topk=[24])
    assert found.row_ids.tolist() == [2, 2, 5]
    assert found.columns["recall@24"].tolist() == [1.0, 1.0, 1.0]


def test_only_candidates_are_listed(parts: Parts, model: Any) -> None:
    positives = parts[3]._dataset.inter_feat["item_id"].unique()
    candidates = torch.zeros(model.table.shape[1], dtype=torch.bool)
    candidates[positives] = True
    candidates[0] = True
    found = score(model, parts[3], candidates=candidates)
    assert candidates[torch.from_numpy(found.topk_items)].all()
    assert not set(range(1, model.table.shape[1])) <= set(positives.tolist())


def test_a_positive_outside_the_candidates_is_an_error(parts: Parts, model: Any) -> None:
    with pytest.raises(DataError, match="positives are not among the candidates"):
        score(model, parts[3], candidates=torch.zeros(model.table.shape[1], dtype=torch.bool))


def test_a_cut_off_above_the_catalogue_ends_the_lists_in_pad(parts: Parts, model: Any) -> None:
    found = score(model, parts[3], topk=[60])
    assert found.topk_items.shape == (len(found.row_ids), 60)
    assert (found.topk_items[:, 24:] == 0).all()
    assert set(found.columns["recall@60"]) == {1.0}


def test_scores_that_are_no_numbers_are_an_error(parts: Parts, model: Any) -> None:
    model.table[4, 7] = float("nan")
    with pytest.raises(TrainingError, match="NaN"):
        score(model, parts[3])


@pytest.mark.parametrize("block", [7, 60, 65_536])
def test_a_model_without_full_sort_scores_all_pairs_in_blocks(block: int, parts: Parts, model: Any,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    from recbole.model.abstract_recommender import GeneralRecommender

    class Pairs(GeneralRecommender):
        def predict(self, interaction: Any) -> torch.Tensor:
            assert len(interaction) <= block
            return model.table[interaction["user_id"], interaction["item_id"]]

    monkeypatch.setattr(evaluator, "PAIRS_AT_ONCE", block)
    found = score(Pairs(parts[0], parts[1]._dataset), parts[3])
    assert found.metrics == score(model, parts[3]).metrics


def test_bf16_runs_under_autocast(parts: Parts, model: Any) -> None:
    seen = []
    original = model.full_sort_predict

    def full_sort_predict(interaction: Any) -> torch.Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return original(interaction).bfloat16()

    model.full_sort_predict = full_sort_predict
    assert score(model, parts[3], precision="bf16").metrics == score(model, parts[3]).metrics
    assert seen[0] is True


def test_popularity_metrics_ask_for_training_counts(parts: Parts, model: Any) -> None:
    with pytest.raises(ValueError, match="training counts"):
        score(model, parts[3], metrics=["AveragePopularity"])


def test_lift_is_the_precision_above_that_of_the_most_popular_items(parts: Parts, model: Any) -> None:
    counts = np.bincount(parts[1]._dataset.inter_feat["item_id"].numpy(), minlength=model.table.shape[1])
    found = score(model, parts[3], metrics=["Precision", "PopularityLift"], train_counts=counts)
    for row, user in enumerate(found.row_ids.tolist()):
        history, positives = history_and_positives(parts, user)
        free = torch.tensor([float(count) for count in counts])
        free[[0, *history]] = -torch.inf
        popular = len(set(free.topk(5).indices.tolist()) & positives) / 5
        assert found.columns["popularitylift@5"][row] == pytest.approx(found.columns["precision@5"][row] - popular)


def test_metrics_that_are_not_full_sort_are_refused(parts: Parts, model: Any) -> None:
    assert not supports(["Recall", "GAUC"])
    with pytest.raises(ValueError, match="gauc"):
        score(model, parts[3], metrics=["GAUC"])


def test_rounding_is_recboles() -> None:
    assert Evaluation({"recall@5": 0.123456}).rounded(4) == {"recall@5": 0.1235}
