"""AMFRec on tinyfood, with a tiny Llama as its backbone and random collaborative vectors."""
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from recbole.data.interaction import Interaction

from recbole_medmoe import processes
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.checks.variants import supply_vectors
from recbole_medmoe.errors import ConfigError

Maker = Callable[..., Any]
SMALL = {"soft_layer": 1, "title_max_tokens": 4, "width": 8, "hidden": 4, "experts": 2, "modality_dropout": 0.0,
         "dropout": 0.0}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("amfrec_llama"))


@pytest.fixture
def made(food_data: Maker, llama: Path) -> Maker:
    """The model with small values, and its training loader."""

    def make(**overrides: Any) -> tuple[Any, Any]:
        config, train, _, _ = food_data("AMFRec", "warm", **{"backbone": str(llama), **SMALL, **overrides})
        supply_vectors(train._dataset, config.model_class.feature_requests(config.params))
        torch.manual_seed(0)
        return config.spec.load()(config, train._dataset), train

    return make


def rows(model: Any, lists: list[list[int]], wanted: list[int] | None = None) -> Interaction:
    longest = max(map(len, lists))
    found = {"user_id": torch.arange(1, len(lists) + 1),
             "item_id_list": torch.tensor([row + [0] * (longest - len(row)) for row in lists]),
             "item_length": torch.tensor([len(row) for row in lists])}
    return Interaction(found | ({"item_id": torch.tensor(wanted)} if wanted else {}))


def learn(model: Any, batch: Interaction, steps: int) -> float:
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=0.02)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = sum(model.calculate_loss(batch))
        loss.backward()
        optimizer.step()
    model.eval()
    return float(loss.detach())


def sha256(module: torch.nn.Module) -> str:
    found = hashlib.sha256()
    for name, weight in sorted(module.named_parameters()):
        found.update(name.encode() + weight.detach().numpy().tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("options", [{}, {"losses": ["catalogue", "title"]}, {"soft_layer": 0, "title_tokens": "all"}])
def test_training_leaves_every_weight_of_the_language_model_as_it_was(made: Maker, options: dict[str, Any]) -> None:
    model, train = made(**options)
    before, start = sha256(model.prompts.llm), sha256(model)
    learn(model, next(iter(train)), 3)
    assert sha256(model.prompts.llm) == before and sha256(model) != start
    trained = {name.split(".")[0] for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {"prompts", "fusion", "about", "inputs", "read_out", "item_text", "item_towers"}
    assert [name for name, weight in model.named_parameters() if weight.requires_grad and "prompts" in name] == [
        "prompts.special"]


def test_lora_trains_adapters_too(made: Maker) -> None:
    model, train = made(tuning="lora", lora_rank=2)
    learn(model, next(iter(train)), 2)
    moved = [name for name, weight in model.named_parameters() if weight.requires_grad and "lora_B" in name
             and bool(weight.any())]
    assert moved and all(".upper." in name for name in moved)


def test_the_whole_catalogue_costs_one_prompt_per_user(made: Maker) -> None:
    model, _ = made()
    batch = rows(model, [[1, 2], [3], [4, 5, 6]])
    with torch.no_grad():
        scores = model.eval().full_sort_predict(batch)
    assert scores.shape == (3 * model.n_items,) and model.prompts.llm.prompts == 3


def test_lists_and_next_items_are_learned_by_heart(made: Maker) -> None:
    model, _ = made(place_weight=0.5)
    batch = rows(model, [[1, 2], [2, 1], [3, 4, 5], [6]], [7, 8, 9, 10])
    assert learn(model, batch, 80) < 0.3
    with torch.no_grad():
        scores = model.full_sort_predict(batch).view(4, -1)
    assert scores.argmax(-1).tolist() == [7, 8, 9, 10]


@pytest.mark.parametrize("options", [
    {"fusion": "equal"}, {"fusion": "concat"}, {"projector": "linear"}, {"modalities": ["image"]}, {"modalities": []},
    {"collaborative": "none"}, {"modalities": ["image", "text", "profile"]}, {"user_text": "tokens"},
    {"user_text": "none"}, {"losses": ["title"], "scoring": "likelihood", "candidates": None},
    {"scoring": "likelihood", "candidates": 3}, {"soft_tokens": 2}, {"place_weight": 0.0}])
def test_every_ablation_learns_and_scores(made: Maker, options: dict[str, Any]) -> None:
    model, _ = made(**options)
    batch = rows(model, [[1, 2], [3], [4, 5, 6]], [7, 8, 9])
    first = learn(model, batch, 1)
    assert learn(model, batch, 12) < first
    with torch.no_grad():
        scores = model.full_sort_predict(batch).view(3, -1)
        told = model.diagnostics(model.user_features(batch), model.item_inputs())
    assert bool(torch.isfinite(scores).all())
    for weights in told.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(3))
    assert ("modalities" in told) == (bool(model.names) and model.params.fusion != "concat")


def test_a_missing_modality_has_no_weight_and_its_features_no_effect(made: Maker) -> None:
    model, _ = made()
    learn(model, rows(model, [[1, 2], [3, 4]], [5, 6]), 5)
    batch, items = rows(model, [[1, 2], [3, 4]]), dict(model.item_inputs())
    matrix, present = items["image"]
    present = present.clone()
    present[1] = present[2] = False
    other = matrix.clone()
    other[[1, 2]] += 1.0
    with torch.no_grad():
        users = model.user_features(batch)
        one, two = (model(users, {**items, "image": (image, present)}) for image in (matrix, other))
        weights = model.diagnostics(users, {**items, "image": (matrix, present)})["modalities"]
    assert torch.equal(one, two)
    assert weights[0].tolist() == [0.0, 1.0] and 0 < weights[1, 0] < 1


def test_without_any_modality_an_item_is_told_by_its_title_alone(made: Maker) -> None:
    model, _ = made()
    items = dict(model.item_inputs())
    for name in model.names:
        items[name] = (items[name][0], torch.zeros_like(items[name][1]))
    users = model.user_features(rows(model, [[1, 2]]))
    with torch.no_grad():
        _, prompts, _, _ = model._prepare(users, items)
        with_soft = model._prepare(users, model.item_inputs())[1]
    assert with_soft.lengths[0] - prompts.lengths[0] == 2 * model.params.soft_tokens


def test_what_follows_an_item_does_not_reach_its_place(made: Maker) -> None:
    model, _ = made()
    learn(model, rows(model, [[1, 2, 3], [3, 4, 5]], [5, 6]), 4)
    users = [model.user_features(rows(model, [row])) for row in ([1, 2, 3], [1, 2, 9])]
    found = []
    with torch.no_grad():
        for some in users:
            _, prompts, _, states = model._prepare(some, model.item_inputs())
            found.append((model.prompts.read(prompts, prompts.ends), states))
    (places, states), (other, others) = found
    torch.testing.assert_close(places[:, :2], other[:, :2])
    torch.testing.assert_close(states[:, :3], others[:, :3])
    assert not torch.allclose(places[:, 2], other[:, 2])


def test_likelihood_ranks_the_candidates_above_the_rest(made: Maker) -> None:
    model, _ = made(scoring="likelihood", candidates=3, losses=["catalogue", "title"])
    batch = rows(model, [[1, 2], [3, 4]])
    with torch.no_grad():
        scores = model.eval()(model.user_features(batch), model.item_inputs())
        object.__setattr__(model, "params", model.params.model_copy(update={"scoring": "catalogue"}))
        first = model(model.user_features(batch), model.item_inputs())[:, 1:].topk(3).indices
    assert [set(row.tolist()) for row in scores[:, 1:].topk(3).indices] == [set(row.tolist()) for row in first]


def test_a_pairs_likelihood_reads_no_other_title(made: Maker) -> None:
    model, _ = made(scoring="likelihood", candidates=None, losses=["title"])
    batch = rows(model.eval(), [[1, 2], [1, 2]], [4, 7])
    batch.interaction["user_id"] = torch.tensor([1, 1])
    read: list[int] = []
    follow = model.prompts.llm.follow
    model.prompts.llm.follow = lambda states, texts: read.append(len(texts)) or follow(states, texts)
    with torch.no_grad():
        pairs = model.predict(batch)
        whole = model.full_sort_predict(batch).view(2, -1)
    assert read[0] == 2  # one prompt, two titles
    torch.testing.assert_close(pairs, torch.stack([whole[0, 4], whole[1, 7]]))


@pytest.mark.parametrize("options, message", [
    ({"soft_layer": 2}, "soft_layer 2: soft tokens enter below one of the backbone's 2 blocks; 0 to 1"),
    ({"prompt_max_tokens": 4096}, "prompt_max_tokens 4096: backbone .* takes at most 1024"),
    ({"prompt_max_tokens": 1022, "losses": ["catalogue", "title"]},
     "prompt_max_tokens 1022 and title_max_tokens 4: backbone .* takes at most 1024"),
    ({"prompt_max_tokens": 100, "user_text": "tokens"}, "the user's text up to 64"),
    ({"soft_layer": 0}, "title_tokens 'last' needs a soft_layer above 0"),
    ({"losses": ["title"]}, "scoring 'catalogue' needs 'catalogue' among the losses"),
    ({"losses": ["title"], "scoring": "likelihood"}, "null reads all")])
def test_values_that_do_not_go_together_are_refused(made: Maker, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(**options)


def test_nobodys_scores_depend_on_who_else_is_in_the_batch_or_how_it_is_cut(made: Maker) -> None:
    for options in ({}, {"soft_layer": 0, "title_tokens": "all"}, {"batch_tokens": 40}):
        model, _ = made(**options)
        learn(model, rows(model, [[1, 2], [3, 4, 5]], [5, 6]), 2)
        batch = rows(model, [[1, 2], [3], [4, 5, 6, 7, 8]])
        with torch.no_grad():
            scores = model.full_sort_predict(batch).view(3, -1)
            alone = [model.full_sort_predict(batch[row:row + 1]) for row in range(3)]
        torch.testing.assert_close(scores, torch.stack(alone), rtol=1e-4, atol=1e-4)


def test_what_is_learned_of_titles_is_what_ranks_them(made: Maker) -> None:
    for options in ({}, {"soft_layer": 0, "title_tokens": "all"}):
        model, _ = made(losses=["title"], scoring="likelihood", candidates=None, **options)
        batch = rows(model.eval(), [[1, 2], [3], [4, 5, 6]], [7, 8, 9])
        with torch.no_grad():
            loss = model.calculate_loss(batch)[0]
            told = model.full_sort_predict(batch).view(3, -1)[torch.arange(3), batch["item_id"]]
        tokens = (model.item_inputs()["title"][0][batch["item_id"]] >= 0).sum(-1)
        torch.testing.assert_close(loss, -(told * tokens).sum() / tokens.sum())


def test_a_users_own_words_are_read_anew_where_nothing_is_to_be_kept(made: Maker) -> None:
    model, _ = made(user_text="tokens")
    batch = rows(model.eval(), [[1, 2]])
    read: list[int] = []
    model.prompts.llm.halves.lower.register_forward_pre_hook(lambda *_: read.append(1))
    with torch.no_grad():
        wanted = model.full_sort_predict(batch)
        read.clear()
        assert torch.equal(model.full_sort_predict(batch), wanted) and not read
        with model.nothing_kept():
            torch.testing.assert_close(model.full_sort_predict(batch), wanted)
    assert len(read) == 1  # the titles, which are the items', stay kept


def test_training_hides_a_title_with_its_text_and_nothing_of_a_user(made: Maker) -> None:
    model, _ = made(modality_dropout=0.5, modalities=["image", "text"])
    items = model.item_inputs()
    assert model.eval()._shown(items) is items
    first, second = (model.train()._shown(items) for _ in range(2))
    hidden = {name: items[name][1] & ~first[name][1] for name in ("title", "text", "image")}
    assert torch.equal(hidden["title"], hidden["text"]) and not torch.equal(hidden["title"], hidden["image"])
    assert 0 < int(hidden["text"].sum()) < 12 and not torch.equal(first["text"][1], second["text"][1])
    users = model.user_features(rows(model, [[1]] * 8))
    told = [torch.cat([model.read("user", users, "text"), torch.cat(model._about(users))], dim=1) for _ in range(2)]
    assert torch.equal(*told) and all(part.hide == 0 for part in model.inputs.values())


def test_a_hidden_title_is_told_by_a_token_that_learns_and_is_still_predicted(
        made: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = made(modality_dropout=0.5, losses=["catalogue", "title"], soft_layer=0, title_tokens="all")
    read: list[Any] = []
    whole = model.prompts.read
    monkeypatch.setattr(model.prompts, "read", lambda prompts, places: read.append(prompts) or whole(prompts, places))
    monkeypatch.setattr(torch, "rand", torch.zeros)  # hides everything
    sum(model.train().calculate_loss(rows(model, [[1, 2]], [3]))).backward()
    prompts, = read
    assert prompts.ends.tolist() == [[prompts.ends[0, 0], prompts.ends[0, 0] + 1]]  # one token each, no soft ones
    assert prompts.lengths[0] - int(prompts.answer) - 1 == int((model.item_inputs()["title"][0][3] >= 0).sum())
    assert bool(model.prompts.special.grad[1].any())


def test_processes_standardise_states_alike(made: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    model, train = made()
    shared: list[Any] = []
    monkeypatch.setattr(processes, "share_buffers", shared.append)
    learn(model, next(iter(train)), 2)
    assert shared == [model.standard]
