"""FeatureSASRec: SASRec on summed item vectors."""
from __future__ import annotations

from typing import Any, Callable

import torch


def test_an_items_vector_is_its_own_and_maps_of_the_features_that_are_there(food_data: Callable[..., Any]) -> None:
    config, train, _, _ = food_data("FeatureSASRec", "warm", hidden_size=8)
    model = config.spec.load()(config, train._dataset)
    table = model.item_embedding
    rows = {name: table.inputs[f"item_{name}"](*train._dataset.features(request))
            for name, request in zip(("text", "image"), model.requests)}
    for item in (1, 5):
        wanted = table.ids.weight[item] + 4 * sum(table.maps[f"item_{name}"].weight @ row[item]
                                                  for name, row in rows.items())
        torch.testing.assert_close(table.weight[item], wanted)
        torch.testing.assert_close(table(torch.tensor([[item]]))[0, 0], wanted)
    table.present_item_text[1] = table.present_item_image[1] = False
    torch.testing.assert_close(table.weight[1], table.ids.weight[1])
    assert not any("table_" in name for name in model.state_dict())


def test_without_modalities_it_is_sasrec(food_data: Callable[..., Any]) -> None:
    config, train, _, _ = food_data("FeatureSASRec", "warm", modalities=[])
    stock_config, stock_train, _, _ = food_data("SASRec", "warm")
    torch.manual_seed(0)
    model = config.spec.load()(config, train._dataset).eval()
    torch.manual_seed(0)
    stock = stock_config.spec.load()(stock_config, stock_train._dataset).eval()
    batch = train._dataset.join(train._dataset.inter_feat[:4])
    torch.testing.assert_close(model.full_sort_predict(batch), stock.full_sort_predict(batch))
