"""Evaluation of sets over a loader."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from recbole_medmoe.evaluation.ratios import ratio_parts
from recbole_medmoe.evaluation.set_evaluator import evaluate_sets
from recbole_medmoe.metrics import SET_METRICS

ALL = [*SET_METRICS, "Recall", "NDCG"]


def _evaluate(model: Any, loader: Any, **changes: Any) -> Any:
    dataset = loader._dataset
    ddi = torch.rand(dataset.item_num, dataset.item_num, generator=torch.Generator().manual_seed(1)) < .2
    return evaluate_sets(model, loader, **{"topk": [3, 5], "metrics": ALL, "device": "cpu", "threshold": 2.5,
                                           "ddi": ddi, **changes})


def _truth(loader: Any) -> dict[int, set[int]]:
    rows = loader._dataset.inter_feat
    found: dict[int, set[int]] = {}
    for user, item in zip(rows["user_id"].tolist(), rows["item_id"].tolist()):
        found.setdefault(user, set()).add(item)
    return found


def test_every_column_is_what_a_loop_over_visits_finds(parts: Any, model: Any) -> None:
    found, truth, items = _evaluate(model, parts[3]), _truth(parts[3]), range(1, parts[3]._dataset.item_num)
    for place, user in enumerate(found.row_ids.tolist()):
        true, scores = truth[user], model.table[user].tolist()
        given = {item for item in items if scores[item] >= 2.5}
        own = {name: values[place] for name, values in found.columns.items()}
        assert own["jaccard"] == pytest.approx(len(given & true) / len(given | true))
        assert own["f1"] == pytest.approx(2 * len(given & true) / (len(given) + len(true)))
        assert own["prauc"] == pytest.approx(
            average_precision_score([item in true for item in items], [scores[item] for item in items]), abs=1e-9)
        assert (own["setsize"], own["truesetsize"]) == (len(given), len(true))
        listed = found.topk_items[place].tolist()
        assert own["recall@5"] == pytest.approx(len(set(listed) & true) / len(true))


def test_pooled_rates_keep_numerators_and_denominators_of_each_visit(parts: Any, model: Any) -> None:
    found = _evaluate(model, parts[3])
    for name in ("ddirate", "trueddirate"):
        above, below = (found.columns[part].sum() for part in ratio_parts(name))
        assert found.metrics[name] == above / below


def test_earlier_items_of_the_same_user_are_scored_too(parts: Any, model: Any) -> None:
    given = _evaluate(model, parts[3]).columns["setsize"]
    users = _evaluate(model, parts[3]).row_ids
    assert given.tolist() == (model.table[users, 1:] >= 2.5).sum(dim=1).tolist()


def test_without_a_threshold_it_is_tuned_on_the_visits_given(parts: Any, model: Any) -> None:
    found = _evaluate(model, parts[2], threshold=None)
    best = max(_evaluate(model, parts[2], threshold=level).metrics["jaccard"] for level in np.arange(-.5, 6))
    assert found.metrics["jaccard"] == pytest.approx(best)
    assert found.metrics == _evaluate(model, parts[2], threshold=found.threshold).metrics


def test_without_a_list_of_interactions_there_is_no_rate(parts: Any, model: Any) -> None:
    found = _evaluate(model, parts[3], ddi=None)
    assert not {"ddirate", "trueddirate"} & set(found.metrics) and "f1" in found.metrics


def test_sets_too_small_for_a_pair_have_no_rate(parts: Any, model: Any) -> None:
    assert "ddirate" not in _evaluate(model, parts[3], threshold=99.0).metrics


def test_metrics_come_in_the_order_asked_for(parts: Any, model: Any) -> None:
    found = _evaluate(model, parts[3], metrics=["NDCG", "Jaccard", "PRAUC"])
    assert list(found.metrics) == ["ndcg@3", "ndcg@5", "jaccard", "prauc"]


def test_equal_scores_do_not_favour_items_with_low_numbers(parts: Any, model: Any) -> None:
    model.table[:] = 0
    assert _evaluate(model, parts[3]).topk_items.mean() > 6   # 1 to 24; by number it would be 3


def test_other_metrics_are_refused(parts: Any, model: Any) -> None:
    with pytest.raises(ValueError, match="metrics of sets"):
        _evaluate(model, parts[3], metrics=["GiniIndex"])
