"""MedMoE and its halves."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.errors import ConfigError

Maker = Callable[..., Any]


def _users(model: Any, train: Any) -> Any:
    return model.user_inputs(train._dataset.train_users.nonzero().squeeze(-1))


def test_the_hybrid_mixes_the_scores_of_two_whole_branches(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("MedMoE")
    fit(model, train, 3)
    users, items = _users(model, train), model.item_inputs()
    moe, llm = model.branch_scores(users, items)
    weights = model.branch_weights(users)
    assert torch.allclose(model(users, items), weights[:, :1] * moe + weights[:, 1:] * llm, atol=1e-5)


def test_both_branches_count_alike_at_the_start(built: Maker) -> None:
    model, train, _, _ = built("MedMoE")
    assert torch.equal(model.branch_weights(_users(model, train)), torch.full((20, 2), 0.5))


def test_the_gate_learns_to_tell_patients_apart(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("MedMoE")
    fit(model, train, 10)
    weights = model.diagnostics(_users(model, train), model.item_inputs())["branches"]
    assert torch.allclose(weights.sum(-1), torch.ones(20), atol=1e-6) and float(weights[:, 0].detach().std()) > 0.001


def test_each_branch_has_a_loss_of_its_own(built: Maker) -> None:
    model, train, _, _ = built("MedMoE", auxiliary_weight=0.5, dropout=0.0, modality_dropout=0.0)
    batch = next(iter(train))
    ids, row = torch.unique(batch["user_id"], return_inverse=True)
    scores = model.branch_scores(model.user_inputs(ids), model.item_inputs())
    wanted = sum(model.pair_loss(branch, row, batch["item_id"]) for branch in scores)
    assert torch.allclose(model.calculate_loss(batch)[1], 0.5 * wanted)


def test_a_fixed_gate_gives_every_patient_the_same_weights(built: Maker) -> None:
    model, train, _, _ = built("MedMoE", fusion="fixed", fixed_weight=0.75)
    assert torch.equal(model.branch_weights(_users(model, train)), torch.tensor([0.75, 0.25]).expand(20, 2))


def test_concatenation_is_one_mixture_over_all_features(built: Maker, fit: Maker, recall: Maker) -> None:
    model, train, _, test = built("MedMoE", fusion="concat")
    fit(model, train, 40)
    assert recall(model, test) > 0.9 and not hasattr(model, "llm")
    assert set(model.diagnostics(_users(model, train), model.item_inputs())) == {"experts"}


def test_pictures_can_be_left_out(built: Maker, fit: Maker) -> None:
    model, train, _, _ = built("MedMoE", image_encoder=None)
    fit(model, train)
    assert [request.key for request in model.requests] == ["user_text", "user_profile", "item_text", "user_llm",
                                                           "item_llm"]


def test_top_k_keeps_k_experts_per_patient(built: Maker) -> None:
    model, train, _, _ = built("MoEOnly", experts=4, top_k=2)
    weights = model.diagnostics(_users(model, train), model.item_inputs())["experts"]
    assert ((weights > 0).sum(-1) == 2).all()


def test_top_k_above_the_experts_is_refused(food_config: Maker) -> None:
    with pytest.raises(ConfigError, match="top_k 5 is above experts 4"):
        food_config("MoEOnly", experts=4, top_k=5)


@pytest.mark.parametrize("name", ["MedMoE", "MoEOnly", "LLMOnly"])
def test_items_that_training_never_saw_are_ranked(built: Maker, fit: Maker, recall: Maker, name: str) -> None:
    model, train, _, test = built(name, "cold_item0")
    candidates = train._dataset.candidates("test")
    fit(model, train, 40)

    class Candidates:
        def full_sort_predict(self, users: Any) -> torch.Tensor:
            scores = model.full_sort_predict(users).view(len(users), -1)
            return scores.masked_fill(~candidates, -torch.inf)

        def eval(self) -> None:
            model.eval()

    assert recall(Candidates(), test) > 0.9


def test_only_the_llms_states_enter_the_llm_only_model(built: Maker) -> None:
    model, _, _, _ = built("LLMOnly")
    assert [(request.key, request.encoder.backbone) for request in model.requests] == [
        ("user_llm", "smollm2-135m"), ("item_llm", "smollm2-135m")]


def test_the_experts_read_no_llm_state(built: Maker) -> None:
    model, _, _, _ = built("MoEOnly")
    assert [request.key for request in model.requests] == ["user_text", "user_profile", "item_text", "item_image"]
