"""Questions written by hand."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.data import ChoicePatients, FeatureRequest, TokenSpec, WordSpec
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.errors import DataError
from recbole_medmoe.model.baselines.options import OptionOverlap

LENGTH = ChoicePatients((FeatureRequest("length", "item", "length"),), {}, {}, {"item_length": 1})


def test_options_are_laid_out_in_their_order() -> None:
    found = LENGTH.encode([{"options": ["aa", "b", "cccc"]}, {"options": ["dd"]}])
    assert found["options"][0].tolist() == [[1, 2, 3], [1, 0, 0]]
    assert found["option_length"][0].squeeze(-1).tolist() == [[2, 1, 4], [2, 0, 0]]
    assert found["option_length"][1].tolist() == found["options"][1].tolist() == [[True] * 3, [True, False, False]]


def test_a_question_without_options_has_none() -> None:
    found = LENGTH.encode([{"options": None}])
    assert not found["options"][1].any() and found["option_length"][0].shape == (1, 1, 1)


@pytest.mark.parametrize("options", ["aa", [1, 2], ["a", " "], {"A": "a"}])
def test_options_that_are_no_list_of_texts_are_refused_without_showing_them(options: Any) -> None:
    with pytest.raises(DataError, match="^patient 2: 'options' must be a list of texts") as caught:
        LENGTH.encode([{"options": ["a", "b"]}, {"options": options}])
    assert "'a'" not in str(caught.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(DataError, match="key 'options' is missing"):
        LENGTH.encode([{"text": "Which?"}])


def test_a_question_of_the_data_set_written_by_hand_has_the_same_inputs(choice_data: Callable[..., Any]) -> None:
    config, train, _, _ = choice_data("OptionOverlap")
    dataset = train._dataset
    model = OptionOverlap(config, dataset)
    texts, options = dataset.texts("user"), dataset.texts("item")
    rows = [{"text": texts[dataset.user_tokens[place]],
             "options": [options[dataset.item_tokens[item]] for item in dataset.options.row(place)]}
            for place in (3, 8, 20)]
    here, there = model.user_inputs(torch.tensor([3, 8, 20])), model.patients().encode(rows)
    assert here.keys() == there.keys()
    for name in here:
        assert torch.equal(here[name][0], there[name][0]) and torch.equal(here[name][1], there[name][1]), name


def test_tokens_of_question_and_options_can_be_asked_for(tmp_path: Any) -> None:
    backbone = str(make_llama(tmp_path / "llama"))
    requests = (FeatureRequest("prompt", "user", "tokens", TokenSpec(backbone, "choice_question", 200)),
                FeatureRequest("words", "item", "tokens", TokenSpec(backbone, "choice_option", 50, special=False)),
                FeatureRequest("bag", "item", "words", WordSpec(1, 1, 10)))
    states = {"item_bag": {"vocabulary": ["liver"], "idf": [1.0], "ngrams": 1}}
    asker = ChoicePatients(requests, states, {"user_prompt": 9}, {"item_words": 4, "item_bag": 1}, cache=tmp_path)
    assert asker.keys == ["options", "text"]
    found = asker.encode([{"text": "Which organ makes bile?", "options": ["Liver", "Spleen or so"]},
                          {"text": None, "options": None}])
    ids, there = found["option_words"]
    assert ids.dtype == torch.int64 and ids.shape[:2] == (2, 2) and there.tolist() == [[True, True], [False, False]]
    assert (ids[1] == -1).all() and (ids[0, 1] != -1).sum() > (ids[0, 0] != -1).sum() > 0
    assert found["prompt"][1].tolist() == [True, False] and found["option_bag"][0][0, :, 0].tolist() == [1.0, 0.0]
