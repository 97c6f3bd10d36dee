"""Catalogue: what remains of the data when the data set is gone."""
from __future__ import annotations

import json

import pytest
import torch

from recbole_medmoe.data import Catalogue, FeatureRequest, FeatureTable, TokenSpec
from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.errors import CheckpointError

SPEC = EncoderSpec("text", "minilm-l6", "mean")
ITEM, USER = FeatureRequest("text", "item", "text", SPEC), FeatureRequest("text", "user", "text", SPEC)


@pytest.fixture
def catalogue() -> Catalogue:
    table = FeatureTable(torch.arange(6.0).reshape(3, 2), torch.tensor([False, True, False]))
    return Catalogue(["[PAD]", "fig", "apple"], torch.tensor([False, True, True]), {"item_text": table},
                     {"user_text": 5}, {"user_profile": {"fields": []}}, "item_id")


def test_it_survives_tensors_and_json(catalogue: Catalogue) -> None:
    again = Catalogue.read(catalogue.tensors(), json.loads(json.dumps(catalogue.document())))
    assert again.item_tokens == catalogue.item_tokens and again.widths == {"user_text": 5}
    assert again.features(ITEM).matrix.equal(catalogue.features(ITEM).matrix)
    assert again.features(ITEM).present.tolist() == [False, True, False]
    assert again.known_items.tolist() == [False, True, True] and again.states == catalogue.states


def test_users_are_only_a_width(catalogue: Catalogue) -> None:
    table = catalogue.features(USER)
    assert table.matrix.shape == (1, 5) and not table.present.any()
    assert catalogue.num("user_id") == 1 and catalogue.num("item_id") == 3
    assert len(catalogue.training_pairs()[0]) == 0


def test_a_feature_that_was_not_kept_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(CheckpointError, match="no feature 'item_image'"):
        catalogue.features(FeatureRequest("image", "item", "image", EncoderSpec("image", "efficientnet-lite0", "pool")))


def test_another_schema_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(CheckpointError, match="schema 9"):
        Catalogue.read(catalogue.tensors(), {**catalogue.document(), "schema": 9})


def test_token_ids_are_kept_as_whole_numbers_and_absent_ones_as_padding(catalogue: Catalogue) -> None:
    spec = TokenSpec("smollm2-135m", None, 64)
    ids = torch.tensor([[-1, -1], [70_000, 3], [5, -1]])
    catalogue.items["item_prompt"] = FeatureTable(ids, torch.tensor([False, True, True]))
    catalogue.widths["user_prompt"] = 4
    again = Catalogue.read(catalogue.tensors(), json.loads(json.dumps(catalogue.document())))
    kept = again.features(FeatureRequest("prompt", "item", "tokens", spec)).matrix
    assert kept.dtype == torch.int64 and kept.equal(ids)
    absent = again.features(FeatureRequest("prompt", "user", "tokens", spec))
    assert absent.matrix.tolist() == [[-1] * 4] and not absent.present.any()
