"""WrittenNames: what of a written line is a medication of the data set."""
from __future__ import annotations

import pytest

from recbole_medmoe.model.baselines.written_names import WrittenNames

NAMES = ["[PAD]", "enoxaparin, heparin", "acetylsalicylic acid, clopidogrel", "multivitamins, plain",
         "thiamine (vit b1)", "paracetamol", "hydrocodone and paracetamol, oxycodone and paracetamol", "heparin",
         "Metoprolol"]


def places(line: str, synonyms: bool = False) -> dict[int, int]:
    return dict(WrittenNames(NAMES, synonyms).find(line).places)


@pytest.mark.parametrize("line, wanted", [
    (" metoprolol; paracetamol", {8: 1, 5: 2}),
    (" paracetamol, metoprolol, and clopidogrel.", {5: 1, 8: 2, 2: 3}),        # commas where there is no semicolon
    (" multivitamins, plain; thiamine", {3: 1, 4: 2}),                        # a whole name with a comma in it
    ("1. Thiamine (vitamin B1)", {}),                                         # a number in front is not taken away
    ("- THIAMINE (vitamin B1)", {4: 1}),
    ("heparin; paracétamol", {1: 1, 7: 1, 5: 2}),                             # two items are called so
    ("paracetamol 500 mg; metoprolol 25", {5: 1, 8: 2}),
    ("metoprolol; metoprolol; paracetamol; Metoprolol!", {8: 1, 5: 2}),
    ("hydrocodone and paracetamol", {6: 1}), ("", {}), (" ; , ;", {}), ("(none)", {})])
def test_names_give_items_in_the_order_of_mention(line: str, wanted: dict[int, int]) -> None:
    assert places(line) == wanted


@pytest.mark.parametrize("line", ["metoprololl", "beta blocker", "metoprolol twice a day", "parace tamol"])
def test_nothing_is_guessed(line: str) -> None:
    found = WrittenNames(NAMES, True).find(line)
    assert (dict(found.places), found.names, found.unknown) == ({}, 1, 1)


def test_names_are_counted_once_and_those_of_no_item_with_them() -> None:
    found = WrittenNames(NAMES, False).find("aspirin; metoprolol; hope; metoprolol; hope; aspirin 81 mg")
    assert (found.names, found.unknown) == (4, 3)


def test_other_names_of_an_ingredient_count_where_they_are_asked_for() -> None:
    assert places("aspirin; Tylenol; lopressor", synonyms=True) == {2: 1, 5: 2, 8: 3}
    assert places("aspirin; Tylenol; lopressor") == {}


def test_a_name_that_the_most_tokens_cut_is_left_out() -> None:
    found = WrittenNames(NAMES, False).find("metoprolol; xyz; parac", ended=False)
    assert (dict(found.places), found.names, found.unknown) == ({8: 1}, 2, 1)
