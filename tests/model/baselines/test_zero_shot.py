"""LLMOnlyZeroShot on the tiny language model."""
from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from torch import Tensor

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.data import PatientFeatures
from recbole_medmoe.encoders import PrefixScorer, PromptTokenizer, render_prompt
from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.quick_start import load, run
from recbole_medmoe.trainer import build_trainer

Maker = Callable[..., Any]
TEXT = "Patient with gout, sex male."


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def zero_shot(built: Maker, llama: Path) -> Maker:
    """``zero_shot(**overrides)`` -> the model, its prior known, and its training loader."""

    def make(split: str | None = None, **overrides: Any) -> tuple[Any, Any]:
        model, train, _, _ = built("LLMOnlyZeroShot", split, backbone=str(llama), name_max_tokens=64, **overrides)
        model.calculate_loss(next(iter(train)))
        return model.eval(), train

    return make


def _users(model: Any, *texts: str | None) -> Any:
    return PatientFeatures(model.requests, {}, model.widths).encode([{"text": text} for text in texts])


def _likelihoods(llama: Path, text: str, names: list[str], normalise: Any = "mean") -> Tensor:
    """Of the names after the shipped prompt with this text -> [n]."""
    tokenizer, model = load_backbone(llama, torch.device("cpu"), torch.float32, head=True)
    words = PromptTokenizer(tokenizer, None, 10_000)
    ids, _ = words.table([render_prompt("food_zero_shot", {"text": text}), *(f" {name}" for name in names)])
    table = torch.from_numpy(ids)
    return PrefixScorer(model, normalise).score(table[:1], table[1:].unsqueeze(0))[0]


def _names(model: Any, train: Any) -> list[str]:
    return [train._dataset.texts("item")[token].split(".")[0] for token in model.item_tokens[1:]]


@pytest.mark.parametrize("normalise", ["mean", "sum"])
def test_scores_are_likelihoods_of_the_names_after_the_prompt(zero_shot: Maker, llama: Path, normalise: str) -> None:
    model, train = zero_shot(normalise=normalise, calibrate=False)
    wanted = _likelihoods(llama, TEXT, _names(model, train), normalise)
    assert torch.allclose(model.score_features(_users(model, TEXT))[0, 1:], wanted, atol=1e-4)


def test_calibration_subtracts_the_likelihoods_after_an_empty_prompt(zero_shot: Maker, llama: Path) -> None:
    model, train = zero_shot(calibrate=True)
    names = _names(model, train)
    wanted = _likelihoods(llama, TEXT, names) - _likelihoods(llama, "", names)
    assert torch.allclose(model.score_features(_users(model, TEXT))[0, 1:], wanted, atol=1e-4)


def test_a_patient_without_a_text_is_scored_by_the_empty_prompt(zero_shot: Maker) -> None:
    model, _ = zero_shot(calibrate=False)
    scores = model.score_features(_users(model, None, TEXT))
    assert torch.equal(scores[0, 1:], model.prior[1:]) and not torch.equal(scores[0], scores[1])


def test_an_item_without_a_text_comes_last(zero_shot: Maker) -> None:
    model, _ = zero_shot()
    scores = model.score_features(_users(model, TEXT, None))  # [PAD] has none
    assert (scores[:, 0] < scores[:, 1:].min(-1).values).all() and bool(scores.isfinite().all())


def test_scores_are_finite_where_no_item_has_a_text(zero_shot: Maker) -> None:
    model, _ = zero_shot()
    ids, there = model.item_inputs()["name"]
    assert model(_users(model, TEXT), {"name": (ids, torch.zeros_like(there))}).isfinite().all()


def test_the_language_model_is_neither_saved_nor_trained_nor_counted(zero_shot: Maker) -> None:
    model, train = zero_shot()
    assert set(model.state_dict()) == {"fake_loss", "prior"}
    assert [name for name, parameter in model.named_parameters() if parameter.requires_grad] == ["fake_loss"]
    assert sum(parameter.numel() for parameter in model.parameters()) == 1 + train._dataset.item_num


def test_no_training_row_changes_a_score(zero_shot: Maker) -> None:
    (one, _), (other, _) = zero_shot("cold_patient"), zero_shot("warm")
    order = [other.item_tokens.index(token) for token in one.item_tokens]
    users = _users(one, TEXT)
    assert torch.allclose(one.score_features(users), other.score_features(users)[:, order], atol=1e-5)


def test_new_items_are_ranked_like_any_other(zero_shot: Maker) -> None:
    model, train = zero_shot("cold_item0")
    assert len(torch.unique(model.score_features(_users(model, TEXT)))) == train._dataset.item_num


def test_it_takes_one_epoch(food_data: Maker, llama: Path) -> None:
    config, train, valid, _ = food_data("LLMOnlyZeroShot", backbone=str(llama), epochs=7)
    trainer = build_trainer(config, config.spec.load()(config, train._dataset))
    trainer.fit(train, valid)
    assert len(trainer.history) == 1


def test_a_backbone_that_reads_both_ways_is_refused(built: Maker) -> None:
    model, train, _, _ = built("LLMOnlyZeroShot", backbone="minilm-l6")
    with pytest.raises(ConfigError, match="backbone 'minilm-l6' does not continue texts"):
        model.calculate_loss(next(iter(train)))


def test_a_run_folder_scores_new_patients_as_the_model_did(tiny_food: Path, tmp_path: Path, llama: Path) -> None:
    result = run("LLMOnlyZeroShot", "tinyfood", runs_dir=tmp_path / "runs",
                 overrides={"data_path": str(tiny_food.parent), "backbone": str(llama)})
    trained = load(result.folder)
    wanted = result.model.score_features(_users(result.model, TEXT))[:, 1:].numpy()
    assert trained.keys == ["text"] and (trained.score([{"text": TEXT}]) == wanted).all()
    assert result.record["model"]["backbone"][0]["name"] == str(llama)


def test_prompts_that_the_context_cuts_are_counted_in_the_record(tiny_food: Path, tmp_path: Path, llama: Path) -> None:
    small = shutil.copytree(llama, tmp_path / "small")
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 120}))
    result = run("LLMOnlyZeroShot", "tinyfood", runs_dir=tmp_path / "runs",
                 overrides={"data_path": str(tiny_food.parent), "backbone": str(small), "name_max_tokens": 20})
    test = len(result.evaluation.row_ids)
    assert test <= result.record["data"]["statistics"]["cut"]["context"] <= len(result.dataset.user_tokens)
