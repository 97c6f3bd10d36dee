"""LLMOnlyLoRA on tinyfood, with a tiny Llama as its backbone."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from recbole.data.interaction import Interaction
from recbole.utils import init_seed

from recbole_medmoe import run
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.data import Catalogue
from recbole_medmoe.errors import CheckpointError, ConfigError, MedMoEError

Maker = Callable[..., Any]
PATIENTS = [{"text": "Patient with gout and anaemia, sex male."}, {"text": None}]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("lora_llama"))


@pytest.fixture
def made(built: Maker, llama: Path, tmp_path: Path) -> Maker:
    """As `built`, of LLMOnlyLoRA with small values; ``seed`` fixes its start."""

    def make(split: str | None = None, seed: int = 0, **overrides: Any) -> tuple[Any, Any, Any, Any]:
        return built("LLMOnlyLoRA", split, **{"backbone": str(llama), "cache_dir": str(tmp_path / "cache"),
                                              "tuned_layers": 1, "lora_rank": 2, "width": 8, **overrides})

    return make


def scores(model: Any, users: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model.eval().full_sort_predict(Interaction({"user_id": torch.tensor(users)})).view(len(users), -1)


@pytest.mark.parametrize("options", [{}, {"tuned_layers": None}, {"tuned_items": True}, {"readout": "last"}])
def test_gradients_reach_the_adapters_the_towers_and_nothing_else(made: Maker, options: dict[str, Any]) -> None:
    model, train, _, _ = made(**options)
    before = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for batch in train:
        optimizer.zero_grad()
        model.calculate_loss(batch).backward()
        optimizer.step()
    moved = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert moved == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[0] for name in moved} == {"llm", "branch", "states_of"} | (
        set() if options.get("tuned_items") else {"inputs"})
    assert before and all(torch.equal(weight, before[name]) for name, weight in model.named_parameters()
                          if name in before)


def test_eight_rows_are_learned_by_heart(made: Maker) -> None:
    model, train, _, _ = made(dropout=0.0, modality_dropout=0.0)
    pairs = {int(user): int(item) for user, item in zip(*train._dataset.training_pairs())}
    rows = Interaction({"user_id": torch.tensor(list(pairs)[:8]), "item_id": torch.tensor(list(pairs.values())[:8])})
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.calculate_loss(rows)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_tuning_changes_what_the_backbone_says(made: Maker, fit: Maker) -> None:
    model, train, _, _ = made()
    ids, present = model.user_inputs(torch.tensor([1, 2, 3]))["llm"]
    before = model.llm(ids, present)
    fit(model, train, 3)
    assert not torch.allclose(model.llm(ids, present), before, atol=1e-3) and model.llm.backbone.is_tuned


def test_it_starts_where_the_frozen_model_does(made: Maker, built: Maker, llama: Path, tmp_path: Path) -> None:
    """Before tuning, states are LLMOnly's on the same backbone, standardised alike."""
    tuned, _, _, _ = made()
    frozen, _, _, _ = built("LLMOnly", backbone=str(llama), cache_dir=str(tmp_path / "cache"), width=8)
    users = torch.arange(1, 20)
    states = tuned.eval()._states("user", tuned.user_inputs(users))
    banked = frozen.eval().read("user", frozen.user_inputs(users))
    torch.testing.assert_close(states, banked, atol=0.02, rtol=0.02)  # banks are kept in half precision
    frozen.branch.load_state_dict(tuned.branch.state_dict())
    torch.testing.assert_close(scores(tuned, [1, 2]), scores(frozen, [1, 2]), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("options", [{}, {"cache_states": False}, {"tuned_items": True}, {"batch_tokens": 64}])
def test_scores_do_not_depend_on_batch_mates(made: Maker, fit: Maker, options: dict[str, Any]) -> None:
    model, train, _, _ = made(**options)
    fit(model, train)
    together = scores(model, [3, 1, 7, 3])
    assert torch.equal(together[0], together[3])
    for row, user in enumerate([3, 1, 7]):
        torch.testing.assert_close(together[row:row + 1], scores(model, [user]), atol=1e-5, rtol=1e-5)


def test_kept_states_change_nothing(made: Maker, fit: Maker) -> None:
    found = []
    for keep in (True, False):
        model, train, _, _ = made(cache_states=keep)
        torch.manual_seed(1)
        fit(model, train, 2)
        found.append(scores(model, [1, 2, 3]))
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_all_layers_by_number_and_by_null_are_one(made: Maker, fit: Maker) -> None:
    found = []
    for layers in (2, None):
        model, train, _, _ = made(tuned_layers=layers)
        torch.manual_seed(1)
        fit(model, train, 2)
        found.append(scores(model, [1, 2, 3]))
    assert torch.equal(*found)


def test_the_same_seed_gives_the_same_weights(made: Maker, fit: Maker) -> None:
    states = []
    for _ in range(2):
        init_seed(3, True)
        model, train, _, _ = made(lora_dropout=0.1)
        torch.manual_seed(1)
        fit(model, train, 2)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_checkpoint_holds_no_tensor_of_the_backbone(made: Maker) -> None:
    model, _, _, _ = made()
    state = model.state_dict()
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    assert frozen and not frozen & set(state)
    assert {name for name in state if name.startswith("llm.") and ".lora_" not in name} == {
        "llm.backbone.frozen_sha256"}


def test_another_backbone_is_refused(made: Maker, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model, _, _, _ = made()
    other = make_llama(tmp_path / "other")
    tensors = {name: tensor + 0.01 for name, tensor in load_file(other / "model.safetensors").items()}
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    again, _, _, _ = made(backbone=str(other))
    with pytest.raises(CheckpointError, match="trained on a backbone of SHA-256"):
        again.load_state_dict(model.state_dict())


@pytest.mark.parametrize("options", [{}, {"tuned_items": True}])
def test_a_model_built_from_its_catalogue_scores_alike(made: Maker, fit: Maker, food_config: Maker, llama: Path,
                                                       options: dict[str, Any]) -> None:
    model, train, _, _ = made(**options)
    fit(model, train)
    kept = model.catalogue()
    config = food_config("LLMOnlyLoRA", backbone=str(llama), tuned_layers=1, lora_rank=2, width=8, **options)
    again = type(model)(config, Catalogue.read(kept.tensors(), json.loads(json.dumps(kept.document()))))
    again.load_state_dict(model.state_dict())
    users = model.user_inputs(torch.tensor([1, 4]))
    assert torch.allclose(again.score_features(users), model.score_features(users), atol=1e-5)


def test_a_patient_without_text_gets_the_scores_of_a_learned_vector(made: Maker, fit: Maker) -> None:
    model, train, _, _ = made()
    fit(model, train)
    ids, present = model.user_inputs(torch.tensor([1, 2]))["llm"]
    absent = model.score_features({"llm": (ids, torch.zeros_like(present))})
    assert torch.isfinite(absent).all() and torch.equal(absent[0], absent[1])
    with torch.no_grad():
        model.states_of["user"].absent += 1
    assert not torch.allclose(model.score_features({"llm": (ids, torch.zeros_like(present))}), absent)


def test_the_towers_are_trained_alone_only_before_the_tuning(made: Maker, fit: Maker) -> None:
    model, train, _, _ = made()
    model.tune(False)
    fit(model, train)
    assert not model.llm.backbone.is_tuned
    model.tune(True)
    fit(model, train)
    with pytest.raises(RuntimeError, match="before the LLM is tuned"):
        model.tune(False)


@pytest.mark.parametrize("options, told", [
    ({"tuned_layers": 3}, "tuned_layers 3: the backbone has 2 layers"),
    ({"lora_targets": ["query"]}, r"lora_targets \['query'\].*there are down_proj"),
    ({"prompt_max_tokens": 1025}, "takes at most 1024"),
    ({"backbone": "minilm-l6", "tuned_items": True}, "take a language model here"),
    ({"tuned_layers": 0}, "tuned_layers"),
])
def test_what_the_backbone_cannot_do_is_refused(made: Maker, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        made(**options)


def test_a_trained_folder_scores_new_patients_as_the_model_did(tiny_food: Path, llama: Path, tmp_path: Path) -> None:
    result = run("LLMOnlyLoRA", "tinyfood", runs_dir=tmp_path / "runs", overrides={
        "data_path": str(tiny_food.parent), "backbone": str(llama), "cache_dir": str(tmp_path / "cache"),
        "tuned_layers": 1, "lora_rank": 2, "width": 8, "head_epochs": 2, "epochs": 2, "progress": False})
    from recbole_medmoe import load

    there = torch.from_numpy(load(result.folder).score(PATIENTS))   # in a process of its own: see tests/common
    model = result.model.eval()
    here = model.score_features(model.patients(cache=tmp_path / "cache").encode(PATIENTS))[:, 1:]
    torch.testing.assert_close(there, here, atol=1e-6, rtol=1e-6)
    assert (result.folder / "model" / "model.safetensors").stat().st_size < (llama / "model.safetensors").stat().st_size
    assert result.record["model"]["backbone"][0]["name"] == str(llama)


def test_errors_of_the_backbone_are_the_users(made: Maker) -> None:
    with pytest.raises(MedMoEError, match="no packaged model"):
        made(backbone="smollm3")
