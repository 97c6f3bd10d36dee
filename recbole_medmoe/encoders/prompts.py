"""Prompt templates: plain text files with ``{name}`` places, checked before use."""
from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Mapping

from ..errors import ConfigError, nearest
from ..paths import properties_dir

_FULL_STOP = re.compile(r"\.(?:\s|$)")


@dataclass(frozen=True)
class Template:
    """A prompt template; ``parts`` are (words before a place, name of the place or None)."""

    name: str
    parts: tuple[tuple[str, str | None], ...]
    sha256: str

    @property
    def places(self) -> tuple[str, ...]:
        """Names of the places, in order."""
        return tuple(place for _, place in self.parts if place is not None)

    def render(self, fields: Mapping[str, str]) -> str:
        """Fills the places.

        Raises:
            ConfigError: a place that ``fields`` does not name.
        """
        unknown = [place for place in self.places if place not in fields]
        if unknown:
            raise ConfigError([f"prompt template '{self.name}': unknown place '{{{place}}}'{nearest(place, fields)}"
                               for place in unknown])
        return "".join(words + (fields[place] if place is not None else "") for words, place in self.parts)


def load_template(name: str) -> Template:
    """Reads ``properties/prompt/<name>.txt``, or the file at a path that ends in ``.txt``.

    Raises:
        ConfigError: no such template, not UTF-8, or braces that do not name a plain place.
    """
    path = Path(name).expanduser() if name.endswith(".txt") else properties_dir() / "prompt" / f"{name}.txt"
    if not path.is_file():
        known = sorted(file.stem for file in (properties_dir() / "prompt").glob("*.txt"))
        raise ConfigError([f"prompt template '{name}': no file {path}{nearest(name, known)}"])
    try:
        text = path.read_text(encoding="utf-8").rstrip("\n")
    except UnicodeDecodeError as fault:
        raise ConfigError([f"prompt template {path}: not UTF-8 at byte {fault.start}"]) from fault
    return Template(name, _parse(path, text), hashlib.sha256(text.encode()).hexdigest())


def text_fields(text: str) -> dict[str, str]:
    """What a template may ask of a text: ``text``, all of it, and ``name``, its first line where it has several, else
    what stands before its first full stop.

    A full stop counts where white space or nothing follows it, so that "Milk 1.5 %. Fresh." is named "Milk 1.5 %".

    Example:
        >>> text_fields("Red Beet. A root.")["name"]
        'Red Beet'
    """
    first, _, more = text.partition("\n")
    return {"text": text, "name": (first if more else _FULL_STOP.split(text, maxsplit=1)[0]).strip()}


def render_prompt(template: str, fields: Mapping[str, str]) -> str:
    """Loads a template by name or path and fills its places.

    Example:
        >>> render_prompt("food_item", {"text": "Banana. A ripe fruit."})  # doctest: +SKIP

    Raises:
        ConfigError: as `load_template` and `Template.render`.
    """
    return load_template(template).render(fields)


def _parse(path: Path, text: str) -> tuple[tuple[str, str | None], ...]:
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as fault:
        raise ConfigError([f"prompt template {path}: {fault}; write {{{{ or }}}} for a brace of the text"]) from fault
    for _, place, form, conversion in pieces:
        if place is not None and (not place.isidentifier() or form or conversion):
            raise ConfigError([f"prompt template {path}: '{{{place}}}' must be a plain name, like {{text}}"])
    return tuple((words, place) for words, place, _, _ in pieces)
