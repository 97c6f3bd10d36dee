"""WordEncoder: TF-IDF with a vocabulary of its own that survives JSON."""
from __future__ import annotations

import json

import pytest
import torch

from recbole_medmoe.data import WordEncoder, WordSpec
from recbole_medmoe.errors import DataError

TEXTS = ["salt is bad for pressure", "salt is good for taste", "sugar is bad for teeth"]


def test_only_frequent_n_grams_enter_the_vocabulary() -> None:
    encoder = WordEncoder.fit(TEXTS, WordSpec(2, 2, 100))
    assert set(encoder.vocabulary) == {"salt", "is", "bad", "for", "salt is", "is bad", "bad for"}


def test_rows_have_length_one_and_unknown_words_are_left_out() -> None:
    rows = WordEncoder.fit(TEXTS, WordSpec(1, 1, 100)).transform([TEXTS[0], "quite other"]).to_dense()
    assert torch.allclose(rows.norm(dim=-1), torch.tensor([1.0, 0.0]), atol=1e-6)


def test_state_survives_json() -> None:
    encoder = WordEncoder.fit(TEXTS, WordSpec(2, 1, 100))
    again = WordEncoder.from_state(json.loads(json.dumps(encoder.state())))
    assert torch.equal(again.transform(TEXTS).to_dense(), encoder.transform(TEXTS).to_dense())
    assert again.width == encoder.width


def test_the_vocabulary_is_capped() -> None:
    assert WordEncoder.fit(TEXTS, WordSpec(2, 1, 5)).width == 5


def test_no_frequent_word_is_told_with_the_key_to_lower() -> None:
    with pytest.raises(DataError, match="lower --min_count"):
        WordEncoder.fit(TEXTS, WordSpec(1, 9, 100))
