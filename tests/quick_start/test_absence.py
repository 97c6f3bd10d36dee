"""Items that lack a modality at test only."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
import torch

from recbole_medmoe.quick_start import RunResult
from recbole_medmoe.quick_start.absence import chosen_items, lacking
from recbole_medmoe.store import read_rows

Maker = Callable[..., Any]
Runner = Callable[..., RunResult]
TOKENS = ["[PAD]", *(f"i{number}" for number in range(40))]


def test_a_smaller_share_lies_inside_a_larger_one_and_all_is_all() -> None:
    some, more, whole = (chosen_items(TOKENS, "image", share) for share in (0.25, 0.5, 1.0))
    assert [int(chosen.sum()) for chosen in (some, more, whole)] == [10, 20, 40] and not whole[0]
    assert bool((more | ~some).all())


def test_the_choice_hangs_on_tokens_and_modality_and_not_on_the_order_of_items() -> None:
    turned = TOKENS[:1] + TOKENS[:0:-1]
    names = [{tokens[item] for item in np.flatnonzero(chosen_items(tokens, "image", 0.5))}
             for tokens in (TOKENS, turned)]
    assert names[0] == names[1]
    assert not torch.equal(chosen_items(TOKENS, "image", 0.5), chosen_items(TOKENS, "text", 0.5))


def test_a_part_that_is_no_feature_model_lacks_its_tables_too(food_data: Maker) -> None:
    config, train, _, test = food_data("FeatureSASRec", "warm")
    built = config.spec.load()(config, train._dataset).eval()
    users = next(iter(test))[0]
    before = built.full_sort_predict(users).clone()
    with lacking("image", 1.0, built) as items:
        assert items == 12 and not torch.allclose(built.full_sort_predict(users), before)
    assert torch.equal(built.full_sort_predict(users), before)


@pytest.mark.parametrize("model, modality, keys", [("MoEOnly", "image", ["item_image"]),
                                                   ("MedMoE", "text", ["item_text", "item_llm"])])
def test_the_modality_is_absent_for_these_items_and_back_afterwards(model: str, modality: str, keys: list[str],
                                                                    food_data: Maker) -> None:
    config, train, _, test = food_data(model)
    built = config.spec.load()(config, train._dataset)
    for batch in train:   # the vector that stands for an absent row is learned
        built.calculate_loss(batch)
    built.eval()
    users = next(iter(test))[0]
    before = built.full_sort_predict(users).clone()
    with lacking(modality, 0.5, built) as items:
        gone = chosen_items(built.item_tokens, modality, 0.5)
        assert items == 6
        for key in keys:
            assert torch.equal(built.get_buffer(f"present_{key}")[1:], ~gone[1:])
            assert not built.get_buffer(f"table_{key}")[gone].any()
        other = built.full_sort_predict(users)
    assert not torch.allclose(before, other) and torch.equal(built.full_sort_predict(users), before)


def test_a_run_keeps_what_each_removal_scored_beside_the_whole(run_food: Runner) -> None:
    result = run_food("MoEOnly", epochs=1, missing=[0.5, 1.0])
    told, rows = result.record["evaluation"]["missing"], read_rows(result.folder)
    assert set(told) == {"text", "image"} and set(told["image"]) == {"0.5", "1"}
    assert told["image"]["0.5"]["items"] == 6 and told["image"]["1"]["items"] == 12
    for modality, shares in told.items():
        for share, found in shares.items():
            column = np.asarray(rows[f"missing: {modality} {share}/map@5"])
            assert column.mean() == pytest.approx(found["metrics"]["map@5"])
    assert result.record["evaluation"]["test_scored"] == 5


def test_without_items_features_nothing_is_removed(run_food: Runner) -> None:
    assert "missing" not in run_food("Pop", missing=[0.5]).record["evaluation"]
