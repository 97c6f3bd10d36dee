"""LEADERTeacher on tinyvisits, with a tiny Llama as its backbone."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from recbole.data.interaction import Interaction

from recbole_medmoe import load, run
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.config.loading import read_yaml
from recbole_medmoe.data import Catalogue
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.paths import properties_dir
from recbole_medmoe.trainer import build_trainer

Maker = Callable[..., Any]
PAPER = {"tuned_layers": None, "state_scale": None, "dropout": 0.0, "head_epochs": 0}
BY_HAND = [{"diag": ["gout", "never seen"], "proc": None, "earlier": [{"diag": ["diabetes"], "medications": ["iron"]}]},
           {"diag": None, "proc": None, "earlier": None}]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("teacher_llama"))


@pytest.fixture
def small(llama: Path, tmp_path: Path) -> dict[str, Any]:
    return {"backbone": str(llama), "cache_dir": str(tmp_path / "cache"), "tuned_layers": 1, "lora_rank": 2,
            "lora_dropout": 0.0, "head_epochs": 2, "epochs": 2, "progress": False, "device": "cpu"}


@pytest.fixture
def made(visit_data: Maker, small: dict[str, Any]) -> Maker:
    """``made(**overrides)`` -> the model and its training loader."""

    def make(**overrides: Any) -> tuple[Any, Any]:
        config, train, _, _ = visit_data("LEADERTeacher", **{**small, **overrides})
        torch.manual_seed(0)
        return config.spec.load()(config, train._dataset), train

    return make


def scores(model: Any, visits: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.eval().full_sort_predict(Interaction({"visit_id": visits})).view(len(visits), -1)


@pytest.mark.parametrize("options, parts", [
    ({}, {"llm", "head", "standard"}), (PAPER, {"llm", "head"}), ({"tuning": "frozen"}, {"head", "standard"}),
    ({"readout": "layers", "gradient_checkpointing": True}, {"llm", "head", "standard"})])
def test_gradients_reach_adapters_and_head_and_nothing_else(made: Maker, options: dict[str, Any],
                                                            parts: set[str]) -> None:
    model, train = made(**options)
    model.train().calculate_loss(next(iter(train))).backward()
    moved = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert moved == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[0] for name in moved} == parts
    assert all(".lora_" in name for name in moved if name.startswith("llm."))


def test_the_papers_head_has_no_bias_and_reads_the_state_as_it_is(made: Maker) -> None:
    model, _ = made(**PAPER)
    ids = torch.tensor([3, 1])
    raw = model.llm(*model.user_inputs(ids)["prompt"])
    assert model.head.bias is None
    torch.testing.assert_close(scores(model, ids), raw @ model.head.weight.T)


def test_a_frozen_backbone_reads_each_prompt_once(made: Maker, fit: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    model, train = made(tuning="frozen")
    before = model.hidden(torch.arange(1, 40))
    read: list[int] = []
    monkeypatch.setattr(type(model.llm), "_read", lambda self, rows: read.append(len(rows)))
    fit(model, train, 2)
    assert not read and torch.equal(model.hidden(torch.arange(1, 40)), before)


def test_the_frozen_reads_what_the_untuned_reads(made: Maker) -> None:
    frozen, untuned = made(tuning="frozen")[0], made(tuned_layers=None)[0]
    torch.testing.assert_close(frozen.hidden(torch.arange(1, 9)), untuned.hidden(torch.arange(1, 9)), atol=0.02,
                               rtol=0.02)   # the frozen one computes in bfloat16 where the processor does


def test_the_state_is_that_of_the_last_token(made: Maker) -> None:
    """A change of the cue's last letter changes it, as does any of the words before; what follows the end does not."""
    model, _ = made(**PAPER)
    ids, present = model.user_inputs(torch.tensor([5]))["prompt"]
    last = int((ids[0] >= 0).sum()) - 1
    here = model.llm(ids, present)
    other = ids.clone()
    other[0, last] = 65
    longer = torch.cat([ids, ids.new_full((1, 5), -1)], dim=1)
    assert not torch.allclose(model.llm(other, present), here, atol=1e-3)
    torch.testing.assert_close(model.llm(longer, present), here)


def test_hidden_is_what_the_head_reads(made: Maker, fit: Maker) -> None:
    model, train = made(dropout=0.5, lora_dropout=0.5)
    fit(model, train)
    visits = torch.tensor([4, 2, 9, 2])
    model.train()
    states = model.hidden(visits)
    assert model.training and states.dtype == torch.float32 and not states.requires_grad
    assert states.shape == (4, model.hidden_width) and torch.equal(states[1], states[3])
    with torch.no_grad():
        torch.testing.assert_close(model.head(model.drop.eval()(states)), scores(model, visits))


def test_hidden_does_not_depend_on_the_visits_beside(made: Maker, fit: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    model, train = made()
    fit(model, train)
    whole = model.hidden(torch.arange(1, 20))
    monkeypatch.setattr("recbole_medmoe.model.leader_teacher._AT_ONCE", 3)
    torch.testing.assert_close(model.hidden(torch.arange(1, 20)), whole, atol=1e-5, rtol=1e-5)


def test_hashes_follow_prompt_and_backbone(made: Maker, tmp_path: Path) -> None:
    first, other = made()[0], made(history_visits=1)[0]
    assert first.prompt_sha256 != other.prompt_sha256 and first.backbone_sha256 == other.backbone_sha256
    assert made(readout="mean")[0].prompt_sha256 == first.prompt_sha256
    another = made(backbone=str(make_llama(tmp_path / "another")), prompt_max_tokens=300)[0]
    assert another.prompt_sha256 != first.prompt_sha256 and len(another.backbone_sha256) == 64


def test_the_checkpoint_holds_adapters_and_head_alone(made: Maker) -> None:
    state = made(**PAPER)[0].state_dict()
    assert {name for name in state if ".lora_" not in name} == {"head.weight", "llm.backbone.frozen_sha256"}
    assert sum(".lora_" in name for name in state) == 2 * 2 * 7


def test_checkpointing_changes_no_gradient(made: Maker) -> None:
    found = []
    for checkpointing in (False, True):
        model, train = made(**PAPER, gradient_checkpointing=checkpointing, train_batch_size=64)
        for name, weight in model.named_parameters():
            if ".lora_B." in name:
                torch.nn.init.constant_(weight, 0.01)
        model.train().calculate_loss(next(iter(train))).backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-7) for name in found[0])


def test_head_first_then_the_llm_at_a_falling_rate(visit_data: Maker, small: dict[str, Any]) -> None:
    config, train, valid, _ = visit_data("LEADERTeacher", **{**small, "lr_schedule": "linear", "train_batch_size": 64})
    model = config.spec.load()(config, train._dataset)
    trainer = build_trainer(config, model)
    trainer.fit(train, valid, verbose=False)
    assert [epoch["stage"] for epoch in trainer.history] == ["head", "head", "tuning", "tuning"]
    rates = [epoch["learning_rate"] for epoch in trainer.history]
    assert rates[1] < rates[0] == config["head_learning_rate"] and rates[3] < rates[2] == config["learning_rate"]
    assert model.llm.backbone.is_tuned == (trainer.best_epoch >= 2)


def test_bf16_trains_and_scores_on_a_cpu(visit_data: Maker, small: dict[str, Any]) -> None:
    config, train, valid, _ = visit_data("LEADERTeacher", **{**small, **PAPER, "precision": "bf16",
                                                             "gradient_checkpointing": True, "lora_dropout": 0.1,
                                                             "history_visits": 0})   # short ones: slow on a CPU
    model = config.spec.load()(config, train._dataset)
    assert model.llm.backbone.dtype == torch.bfloat16
    assert all(weight.dtype == torch.float32 for weight in model.parameters() if weight.requires_grad)
    trainer = build_trainer(config, model)
    trainer.fit(train, valid, verbose=False)
    assert trainer.history[-1]["loss"] < trainer.history[0]["loss"]
    assert torch.isfinite(scores(model, torch.arange(1, 5))).all()


def test_a_trained_folder_scores_visits_written_by_hand(tiny_visits: Path, small: dict[str, Any],
                                                        tmp_path: Path) -> None:
    result = run("LEADERTeacher", "tinyvisits", runs_dir=tmp_path / "runs",
                 overrides={**small, "data_path": str(tiny_visits.parent)})
    trained = load(result.folder)
    assert trained.keys == ["diag", "proc", "earlier"]
    here = result.model.score_features(result.model.patients().encode(BY_HAND))[:, 1:]
    torch.testing.assert_close(torch.from_numpy(trained.score(BY_HAND)), here)
    assert result.record["model"]["backbone"][0]["name"] == small["backbone"]


def test_a_model_built_from_its_catalogue_scores_alike(made: Maker, visit_config: Maker, small: dict[str, Any],
                                                       fit: Maker) -> None:
    model, train = made()
    fit(model, train)
    kept = model.catalogue()
    again = type(model)(visit_config("LEADERTeacher", **small),
                        Catalogue.read(kept.tensors(), json.loads(json.dumps(kept.document()))))
    again.load_state_dict(model.state_dict())
    visits = torch.tensor([1, 4, 7])
    torch.testing.assert_close(again.score_features(model.user_inputs(visits)), scores(model, visits))
    tokens = train._dataset.user_tokens
    rows = train._dataset._frame.loc[[tokens[visit] for visit in visits]]
    given = train._dataset.visits.medications
    by_hand = [{"diag": row.diag, "proc": row.proc, "earlier": [
        {"diag": train._dataset._frame.loc[old].diag, "proc": train._dataset._frame.loc[old].proc,
         "medications": [train._dataset.item_tokens[item] for item in given.row(tokens.index(old))]}
        for old in row.earlier]} for row in rows.itertuples()]
    torch.testing.assert_close(again.score_features(again.patients().encode(by_hand)), scores(model, visits))


def test_cost_is_told_before_the_weights_are_read(made: Maker, caplog: pytest.LogCaptureFixture,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: Any, **options: Any) -> None:
        raise RuntimeError("weights are read")

    monkeypatch.setattr("recbole_medmoe.encoders.split.load_backbone", never)
    with caplog.at_level("INFO", "recbole_medmoe"), pytest.raises(RuntimeError, match="weights are read"):
        made(**PAPER)
    memory, spent = [line.message for line in caplog.records if "estimated" in line.message]
    assert re.fullmatch(r"memory, estimated: 8,784 frozen parameters 0 MiB, .*: about \d+ MiB of .* GiB on cpu", memory)
    assert re.fullmatch(r"time, estimated: [\d,]+ tokens of 39 training texts take 0 s once and \d+ s per epoch, .*",
                        spent)


def test_the_estimated_parameters_are_the_models(made: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    from recbole_medmoe.encoders import estimate

    plans: list[Any] = []
    monkeypatch.setattr("recbole_medmoe.model.backbone.weight_bytes", lambda shape, plan: (
        plans.append((shape, plan)), estimate.weight_bytes(shape, plan))[1])
    model, _ = made(**PAPER, readout="layers")
    shape, plan = plans[0]
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert estimate.trained_bytes(shape, plan) == 16 * sum(weight.numel() for weight in trained)
    frozen = [weight for weight in model.parameters() if not weight.requires_grad]
    assert estimate.weight_bytes(shape, plan) == sum(weight.nbytes for weight in frozen)


def test_a_model_without_training_visits_tells_no_cost(made: Maker, visit_config: Maker, small: dict[str, Any],
                                                       caplog: pytest.LogCaptureFixture) -> None:
    model, _ = made()
    caplog.clear()
    with caplog.at_level("INFO", "recbole_medmoe"):
        type(model)(visit_config("LEADERTeacher", **small), model.catalogue())
    assert "estimated" not in caplog.text


@pytest.mark.parametrize("options, told", [
    ({"quantise": "nf4"}, "quantise: 'nf4' needs an NVIDIA GPU and the device is cpu"),
    ({"lora_targets": ["query"]}, r"lora_targets \['query'\].*there are down_proj.*q_proj"),
    ({"tuned_layers": 3}, "the backbone has 2 layers"),
    ({"prompt_max_tokens": 1025}, "takes at most 1024"),
    ({"prompt": "food_user"}, "unknown place '{text}'"),
    ({"backbone": "minilm-l6"}, "take a language model here"),
    ({"history_diagnoses": "none"}, "history_diagnoses"),
    ({"state_scale": 0.0}, "state_scale")])
def test_what_cannot_be_is_refused(made: Maker, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        made(**options)


@pytest.mark.parametrize("variant", ["full", "7b"])
def test_the_full_values_are_the_papers(visit_config: Maker, variant: str) -> None:
    path = properties_dir() / "model" / f"LEADERTeacher.{variant}.yaml"
    config = visit_config("LEADERTeacher", **read_yaml(path).values)
    p = config.params
    assert (p.lora_rank, p.lora_alpha, p.lora_dropout, len(p.lora_targets)) == (8, 32.0, 0.1, 7)
    assert (p.learner, p.learning_rate, p.lr_schedule, config["warmup_steps"]) == ("adamw", 2e-4, "linear", 0)
    assert (p.tuned_layers, p.readout, p.state_scale, p.dropout) == (None, "last", None, 0.0)
    assert (p.history_visits, p.history_diagnoses, p.append_eos, p.prompt_max_tokens) == (3, "own", True, 2048)
    assert p.train_batch_size * config["gradient_accumulation_steps"] == 512   # pairs of about 32 visits
