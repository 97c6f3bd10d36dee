"""The shortcuts of multiple choice."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from recbole_medmoe.model.baselines.options import LongestOption, OptionOverlap, OptionPosition
from recbole_medmoe.trainer import build_trainer


@pytest.fixture
def fitted(choice_data: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Model after training, and its training data."""

    def make(kind: Any, **keys: Any) -> tuple[Any, Any]:
        config, train, _, _ = choice_data(kind.__name__, epochs=1, device="cpu", **keys)
        model = kind(config, train._dataset)
        build_trainer(config, model).fit(train, None, verbose=False)
        return model.eval(), train._dataset

    return make


def test_position_counts_places_of_questions_with_as_many_options(fitted: Callable[..., Any]) -> None:
    model, train = fitted(OptionPosition, smoothing=0.5)
    counts = {(size, place): 0 for size in (3, 4) for place in range(size)}
    for user, item in zip(train.inter_feat["user_id"].tolist(), train.inter_feat["item_id"].tolist()):
        own = train.options.row(user)
        counts[len(own), own.index(item)] += 1
    scores = model.score_features(model.patients().encode([{"options": list("abc")}, {"options": list("abcd")}]))
    assert scores[0, 1:4].tolist() == pytest.approx([torch.tensor(counts[3, p] + 0.5).log().item() for p in range(3)])
    assert scores[1, 1:].tolist() == pytest.approx([torch.tensor(counts[4, p] + 0.5).log().item() for p in range(4)])


def test_position_leaves_options_alike_where_training_has_no_question_of_that_size(fitted: Callable[..., Any]) -> None:
    model, _ = fitted(OptionPosition)
    (scores,) = model.score_features(model.patients().encode([{"options": list("abcdefg")}]))
    assert len(scores) == 8 and scores[1:].unique().numel() == 1


def test_longest_ranks_by_characters(fitted: Callable[..., Any]) -> None:
    model, _ = fitted(LongestOption)
    scores = model.score_features(model.patients().encode([{"text": None, "options": ["aa", "bbbbb", "c"]}]))
    assert scores[0, 1:].tolist() == [2, 5, 1]


def test_overlap_is_the_product_of_both_sides_weights_over_shared_words(fitted: Callable[..., Any]) -> None:
    model, train = fitted(OptionOverlap, min_count=1)
    told = train.texts("user"), train.texts("item")
    seen = ([told[0][train.user_tokens[user]] for user in torch.unique(train.inter_feat["user_id"]).tolist()],
            [told[1][train.item_tokens[item]] for item in train.train_items.nonzero().flatten().tolist()])
    sides = [TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit(texts) for texts in seen]
    question, options = "Which food is good against gout and anaemia?", ["egg, which is good against gout", "lemon"]
    rows = sides[0].transform([question]).toarray()[0], sides[1].transform(options).toarray()
    places = [side.vocabulary_ for side in sides]
    wanted = [sum(rows[0][places[0][word]] * row[places[1][word]] for word in places[0].keys() & places[1].keys())
              for row in rows[1]]
    scores = model.score_features(model.patients().encode([{"text": question, "options": options}]))
    assert scores[0, 1:].tolist() == pytest.approx(wanted, abs=1e-6) and wanted[0] > 0
