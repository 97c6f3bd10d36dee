"""What every feature model does, shown on the registered ones."""
from __future__ import annotations

import json
from typing import Any, Callable

import pytest
import torch
from recbole.data.interaction import Interaction

from recbole_medmoe.data import Catalogue
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.model.base import read_params
from recbole_medmoe.model.medmoe import MoEOnly, MoEOnlyParams

Maker = Callable[..., Any]
MODELS = ["MedMoE", "MoEOnly", "LLMOnly", "HalvesAverage", "LLMPair", "FeatureRidge", "BowRidge", "ConditionLookup"]
TRAINED = MODELS[:3]


@pytest.mark.parametrize("name", MODELS)
def test_cold_patients_are_ranked_by_their_features(built: Maker, fit: Maker, recall: Maker, name: str) -> None:
    model, train, _, test = built(name, "cold_patient")
    fit(model, train, 40)
    assert recall(model, test) > 0.9


@pytest.mark.parametrize("name", MODELS)
def test_scores_do_not_depend_on_the_batch(built: Maker, fit: Maker, name: str) -> None:
    model, train, _, _ = built(name)
    fit(model, train)
    users = torch.tensor([3, 1, 7])
    together = model.full_sort_predict(Interaction({"user_id": users})).view(3, -1)
    for row, user in enumerate(users):
        alone = model.full_sort_predict(Interaction({"user_id": user[None]}))
        assert torch.allclose(together[row], alone, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_predict_gives_single_scores_of_the_full_ranking(built: Maker, fit: Maker, name: str) -> None:
    model, train, _, _ = built(name)
    fit(model, train)
    pairs = Interaction({"user_id": torch.tensor([3, 1, 3]), "item_id": torch.tensor([2, 5, 9])})
    full = model.full_sort_predict(pairs).view(3, -1)
    assert torch.allclose(model.predict(pairs), full[torch.arange(3), pairs["item_id"]], atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_no_features_of_users_ride_in_the_checkpoint(built: Maker, name: str) -> None:
    model, train, _, _ = built(name)
    stored = {**model.state_dict(), **model.catalogue().tensors()}
    users = train._dataset.num("user_id")
    assert not [key for key in stored if key.startswith(("table_user", "present_user"))]
    assert not [key for key, value in stored.items() if value.dim() and value.shape[0] == users]
    said = json.dumps(model.catalogue().document())
    assert not [token for token in train._dataset.user_tokens[1:] if token in said]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_built_from_its_catalogue_scores_alike(built: Maker, fit: Maker, food_config: Maker, name: str) -> None:
    model, train, _, _ = built(name)
    fit(model, train)
    kept = model.catalogue()
    document = json.loads(json.dumps(kept.document()))
    again: Any = type(model)(food_config(name), Catalogue.read(kept.tensors(), document))
    again.load_state_dict(model.state_dict())
    users = model.user_inputs(torch.tensor([1, 4]))
    assert torch.allclose(again.score_features(users), model.score_features(users), atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_patient_without_any_modality_gets_finite_scores(built: Maker, fit: Maker, name: str) -> None:
    model, train, _, _ = built(name)
    fit(model, train)
    nothing = {key: (torch.full_like(matrix, 77), torch.zeros_like(present))
               for key, (matrix, present) in model.user_inputs(torch.tensor([1])).items()}
    other = {key: (torch.zeros_like(matrix), present) for key, (matrix, present) in nothing.items()}
    assert torch.isfinite(model.score_features(nothing)).all()
    assert torch.equal(model.score_features(nothing), model.score_features(other))


@pytest.mark.parametrize("name", TRAINED)
def test_the_loss_is_a_softmax_over_known_items(built: Maker, name: str) -> None:
    model, train, _, _ = built(name, "cold_item0")
    model.eval()
    pairs = train._dataset.inter_feat[torch.arange(6)]
    scores = torch.randn(30, train._dataset.num("item_id"))
    row = torch.arange(6)
    known = model.known_items.nonzero().squeeze(-1).tolist()
    wanted = -sum(scores[i, pairs["item_id"][i]] - torch.logsumexp(scores[i, known], 0) for i in range(6)) / 6
    assert torch.allclose(model.pair_loss(scores, row, pairs["item_id"]), wanted)


@pytest.mark.parametrize("name", TRAINED)
def test_cold_items_get_no_gradient(built: Maker, name: str) -> None:
    model, train, _, _ = built(name, "cold_item0")
    scores = torch.randn(4, train._dataset.num("item_id"), requires_grad=True)
    model.pair_loss(scores, torch.arange(4), train._dataset.inter_feat["item_id"][:4]).backward()
    assert scores.grad is not None and not scores.grad[:, ~model.known_items].any()


@pytest.mark.parametrize("name", TRAINED)
def test_training_is_the_same_twice(built: Maker, fit: Maker, name: str) -> None:
    weights = []
    for _ in range(2):
        model, train, _, _ = built(name)
        fit(model, train, 2)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*weights)


def test_standardisation_comes_from_training_patients(built: Maker) -> None:
    model, train, _, _ = built("MoEOnly")
    rows = model.table_user_text[train._dataset.train_users]
    assert torch.allclose(model.inputs["user_text"].mean, rows.mean(0), atol=1e-6)


def test_a_model_takes_its_parameters_from_any_mapping(built: Maker, food_config: Maker) -> None:
    _, train, _, _ = built("MoEOnly")
    config = food_config("MoEOnly")
    plain = {key: config[key] for key in (*MoEOnlyParams.model_fields, "USER_ID_FIELD", "ITEM_ID_FIELD", "NEG_PREFIX",
                                          "device")}
    assert MoEOnly(plain, train._dataset).params.experts == config["experts"]


def test_all_wrong_parameters_are_told_at_once(food_config: Maker) -> None:
    values = {name: food_config("MoEOnly")[name] for name in MoEOnlyParams.model_fields}
    with pytest.raises(ConfigError) as error:
        read_params(MoEOnlyParams, {**values, "experts": 0, "dropout": "much"})
    assert [fault.split(":")[0] for fault in error.value.faults] == ["dropout", "experts"]
