"""Texts made of columns."""
from __future__ import annotations

import pytest

from recbole_medmoe.data.column_texts import column_texts
from recbole_medmoe.encoders.prompts import text_fields
from recbole_medmoe.errors import ConfigError

COLUMNS = ["title", "year", "class"]


def test_places_are_filled_from_each_record_and_sequences_are_joined() -> None:
    rows = {"1": {"title": ["Dr.", "No"], "year": "1962", "class": ["Action", "Thriller"]}, "2": {}}
    made = column_texts("{title} ({year})\n{class}", rows, COLUMNS)
    assert made == {"1": "Dr. No (1962)\nAction Thriller"}
    assert text_fields(made["1"])["name"] == "Dr. No (1962)"


def test_missing_values_are_left_empty() -> None:
    assert column_texts("{title}, {year}", {"1": {"title": ["Up"], "year": float("nan")}}, COLUMNS) == {"1": "Up, "}


@pytest.mark.parametrize("template, fault", [("{titel}", "no column 'titel'; did you mean 'title'"), ("{title", "'}'")])
def test_wrong_templates_are_told(template: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        column_texts(template, {}, COLUMNS)
