"""Texts of users or items made of their columns, for data sets that come without texts."""
from __future__ import annotations

from string import Formatter
from typing import Any, Mapping, Sequence

from ..errors import ConfigError, nearest


def column_texts(template: str, records: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> dict[str, str]:
    """A text for each record.

    Args:
        template: words with ``{column}`` places; parts of a sequence are joined by spaces. Where the text has several
            lines, the first is the name.
        records: token to its values by column; one without values gets no text.
        columns: what a place may name.

    Raises:
        ConfigError: braces that are not in order, or a place that names no column.

    Example:
        >>> column_texts("{title} ({year})", {"1": {"title": ["Toy", "Story"], "year": "1995"}}, ["title", "year"])
        {'1': 'Toy Story (1995)'}
    """
    try:
        parts = [(words, place) for words, place, _, _ in Formatter().parse(template)]
    except ValueError as fault:
        raise ConfigError([f"text_columns: {template!r}: {fault}"]) from fault
    unknown = [place for _, place in parts if place is not None and place not in columns]
    if unknown:
        raise ConfigError([f"text_columns: no column '{place}'{nearest(place, columns)}" for place in unknown])
    return {token: "".join(words + ("" if place is None else _shown(record.get(place))) for words, place in parts)
            for token, record in records.items() if record}


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None or value != value else str(value)
