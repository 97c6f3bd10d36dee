"""WrittenNames: the names of medications in a line of text, matched to the items of a data set."""
from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence

from ...prepare.visits.drugs import DrugMaps, words_of

Words = tuple[str, ...]
_ADDITION = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


@dataclass(frozen=True)
class Found:
    """What a line names.

    Args:
        places: item to its place in the order of mention, from 1; a name that several items share gives all of them
            its place.
        names: different names in the line.
        unknown: names among them that are no item's.
    """

    places: Mapping[int, int]
    names: int
    unknown: int


class WrittenNames:
    """Matches written names to items, exactly after a normalisation.

    An item is called by its whole name, and by each of its parts between commas ("enoxaparin, heparin" is called by
    three names). A name is compared by its words, runs of letters and digits in lower case without accents; additions
    in brackets are left out on both sides. A written name that is not known as a whole is tried without what follows
    from its first number on ("aspirin 81 mg"). Nothing else is changed, nothing is guessed.

    Args:
        names: of I items, the first being [PAD].
        synonyms: whether American, brand and short names of the package's drug list (``drug_names.csv``) stand for the
            ingredient that the list gives them, "aspirin" for "acetylsalicylic acid".
    """

    def __init__(self, names: Sequence[str], synonyms: bool) -> None:
        self._items: dict[Words, list[int]] = {}
        for item, name in enumerate(names[1:], start=1):
            for called in {_words(name), *map(_words, _without_additions(name).split(","))} - {()}:
                self._items.setdefault(called, []).append(item)
        self._drugs = DrugMaps.read().names if synonyms else {}

    def find(self, text: str, ended: bool = True) -> Found:
        """Names of a line, separated by semicolons, or by commas where what stands between semicolons is no name.

        Args:
            text: a line.
            ended: whether it is whole; if not, its last name is cut, and left out.
        """
        names = list(self._split(text))
        different = dict.fromkeys(names if ended else names[:-1])
        places: dict[int, int] = {}
        unknown = 0
        for name in different:
            found, place = self._match(name), 1 + len(set(places.values()))
            unknown += not found
            places = {**dict.fromkeys(found, place), **places}  # what was named before keeps its place
        return Found(places, len(different), unknown)

    def _split(self, text: str) -> Iterator[Words]:
        for piece in _without_additions(text).split(";"):
            for part in [piece] if self._match(_words(piece)) else piece.split(","):
                words = _words(part)
                words = words[1:] if words[:1] == ("and",) else words
                if words:
                    yield words

    def _match(self, words: Words) -> list[int]:
        """Items of a name; none if no item has it."""
        number = next((place for place, word in enumerate(words) if word[0].isdigit()), len(words))
        for called in (words, words[:number]):
            found = self._items.get(called)
            if found is None and called in self._drugs:
                found = self._items.get(_words(self._drugs[called].ingredient))
            if found is not None:
                return found
        return []


def _words(name: str) -> Words:
    plain = unicodedata.normalize("NFKD", _without_additions(name))
    return words_of("".join(letter for letter in plain if not unicodedata.combining(letter)))


def _without_additions(name: str) -> str:
    return _ADDITION.sub(" ", name)
