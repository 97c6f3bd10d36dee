"""BowRidge."""
from __future__ import annotations

from typing import Any, Callable

import pytest

from recbole_medmoe.errors import ConfigError

Maker = Callable[..., Any]


def test_the_vocabulary_comes_from_training_texts_only(built: Maker) -> None:
    model, train, _, _ = built("BowRidge", ngrams=1, min_count=1)
    texts = train._dataset.texts("user")
    seen = [texts[token] for token, known in zip(train._dataset.user_tokens, train._dataset.train_users) if known]
    words = {word for text in seen for word in text.lower().replace(",", " ").replace(".", " ").split()}
    assert set(model.states["user_words"]["vocabulary"]) == words


def test_items_without_training_rows_are_refused(built: Maker) -> None:
    with pytest.raises(ConfigError, match="BowRidge knows items by their training rows"):
        built("BowRidge", "cold_item0")
