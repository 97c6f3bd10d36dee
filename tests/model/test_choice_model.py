"""ChoiceRecommender: what every model of choice has."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recbole_medmoe.data import Catalogue, FeatureRequest, TokenSpec
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.evaluation.choices import evaluate_choices
from recbole_medmoe.model.base import Features, ModelParams
from recbole_medmoe.model.choice import ChoiceRecommender


class Params(ModelParams):
    """Where the tokenizer is."""

    backbone: str


class Bytes(ChoiceRecommender):
    """Means of token embeddings of question and option, compared."""

    Params = Params

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.words = nn.Embedding(400, 16)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        prompt = TokenSpec(params.backbone, "choice_question", 200)
        option = TokenSpec(params.backbone, "choice_option", 60, special=False)
        return FeatureRequest("prompt", "user", "tokens", prompt), FeatureRequest("words", "item", "tokens", option)

    def _mean(self, ids: Tensor) -> Tensor:
        there = (ids >= 0).float().unsqueeze(-1)
        return (self.words(ids.clamp(min=0)) * there).sum(-2) / there.sum(-2).clamp(min=1)

    def forward(self, users: Features, items: Features) -> Tensor:
        question, option = self._mean(users["prompt"][0]), self._mean(users["option_words"][0])
        return (question.unsqueeze(1) * option).sum(-1)


@pytest.fixture
def built(choice_data: Callable[..., Any], tmp_path: Path) -> tuple[Any, Bytes, Any, Any]:
    """Configuration, model, training and test loader."""
    backbone = str(make_llama(tmp_path / "llama"))
    config, train, _, test = choice_data("OptionPosition", extra_keys=["backbone"], backbone=backbone,
                                         cache_dir=str(tmp_path / "cache"), device="cpu")
    torch.manual_seed(0)
    return config, Bytes(config, train._dataset), train, test


def test_token_ids_of_questions_and_options_come_with_the_question(built: Any) -> None:
    _, model, train, _ = built
    users = model.user_inputs(torch.tensor([1, 2]))
    ids, there = users["option_words"]
    assert ids.shape[:2] == there.shape == users["options"][0].shape and users["prompt"][0].shape[0] == 2
    assert (ids[~there] == -1).all() and model.item_inputs() == {}


def test_the_loss_is_the_cross_entropy_among_own_options(built: Any) -> None:
    _, model, train, _ = built
    rows = train._dataset.inter_feat[:4]
    losses = []
    for user, item in zip(rows["user_id"], rows["item_id"]):
        own = train._dataset.options.row(int(user))
        scores = model.forward(model.user_inputs(user[None]), {})[0, :len(own)]
        losses.append(F.cross_entropy(scores[None], torch.tensor([own.index(int(item))])))
    assert torch.allclose(model.calculate_loss(rows), torch.stack(losses).mean(), atol=1e-6)


def test_items_that_are_no_option_of_the_question_score_below_all_that_are(built: Any) -> None:
    _, model, train, _ = built
    ids = torch.arange(1, 6)
    scores = model.full_sort_predict({"user_id": ids}).view(5, -1)
    for row, user in zip(scores, ids.tolist()):
        own = train._dataset.options.row(user)
        others = [item for item in range(model.n_items) if item not in own]
        assert torch.isfinite(row).all() and row[own].min() > row[others].max() and row[others].unique().numel() == 1
    pairs = {"user_id": ids.repeat_interleave(model.n_items), "item_id": torch.arange(model.n_items).repeat(5)}
    assert torch.equal(model.predict(pairs), scores.flatten())


def test_it_learns_to_choose(built: Any) -> None:
    _, model, train, test = built
    optimiser = torch.optim.Adam(model.words.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        loss = model.calculate_loss(train._dataset.inter_feat)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    dataset = test._dataset
    found = evaluate_choices(model, test, topk=[1], metrics=["Accuracy"], device="cpu", options=dataset.options,
                             tasks=dataset.tasks)
    assert losses[-1] < 0.5 * losses[0] and found.metrics["accuracy"] > 0.5


def test_a_model_built_again_from_its_catalogue_scores_questions_written_by_hand(built: Any) -> None:
    config, model, _, _ = built
    kept = model.catalogue()
    assert kept.item_tokens == ["[PAD]"] and "item_words.matrix" not in kept.tensors()
    again = Bytes(config, Catalogue.read(kept.tensors(), kept.document()))
    again.load_state_dict(model.state_dict())
    asked = [{"text": "Which food is good against gout?", "options": ["apple", "a new kind of pear", "egg"]},
             {"text": "Which?", "options": ["yes", "no"]}]
    options = {"cache": Path(config["cache_dir"])}
    here, there = (one.score_features(one.patients(**options).encode(asked)) for one in (model, again))
    assert torch.equal(here, there) and here.shape == (2, 4)
    assert (here[:, 1:] > here[:, :1]).tolist() == [[True] * 3, [True, True, False]]


def test_other_data_are_refused(food_data: Callable[..., Any]) -> None:
    config, train, _, _ = food_data("Pop")
    with pytest.raises(ConfigError, match="--dataset med-mcq"):
        Bytes(config, train._dataset)
