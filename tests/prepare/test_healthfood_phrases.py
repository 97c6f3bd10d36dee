"""The table of phrases: what is right, and the message of each kind of broken row."""
from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.healthfood.phrases import FRAMES, named_medicines, needed_facts, read_phrases


def rows() -> list[list[str]]:
    """The smallest whole table: one phrase for each fact and part."""
    found = []
    for fact in needed_facts():
        hole = FRAMES.get(fact.removeprefix("frame:"), "") if fact.startswith("frame:") else ""
        for part in ("train", "valid", "test"):
            found.append([fact, part, "lay", f"{fact} in {part}" + (f" {{{hole}}}" if hole else "")])
    return found


def write(path: Path, table: list[list[str]]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["fact", "part", "kind", "phrase"], *table])
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def message(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_phrases(path)
    return str(caught.value)


def test_the_smallest_whole_table(tmp_path):
    phrases = read_phrases(write(tmp_path / "p.csv", rows()))
    assert phrases.of("condition:gout", "test") == ("condition:gout in test",)


def test_several_phrases_of_a_fact(tmp_path):
    table = [*rows(), ["condition:gout", "test", "brand", "a toe, inflamed"]]
    assert len(read_phrases(write(tmp_path / "p.csv", table)).of("condition:gout", "test")) == 2


def test_medicines_that_a_rule_names_are_facts_beside_their_class():
    assert named_medicines() == ["amiodarone", "cyclosporine", "tacrolimus"]
    assert {"medicine:amiodarone", "medicine:antiarrhythmic", "condition:copd", "diet:vegan", "wanted:none",
            "frame:who_unknown_adult"} <= set(needed_facts())


# what is changed in the first line (None: the line is added), and what one line of the message says
BROKEN = {
    "unknown fact": (["condition:hypertensoin", "train", "lay", "new"],
                     "column 'fact': unknown fact 'condition:hypertensoin'; did you mean 'condition:hypertension' or"),
    "unknown part": (["condition:gout", "dev", "lay", "new"], "column 'part': unknown part 'dev'; parts are train, "
                     "valid, test"),
    "unknown kind": (["condition:gout", "test", "slang", "new"], "column 'kind': unknown kind 'slang'; kinds are "
                     "clinical, lay, abbreviation, brand"),
    "empty phrase": (["condition:gout", "test", "lay", ""], "column 'phrase': the phrase is empty or has spaces"),
    "spaces": (["condition:gout", "test", "lay", " a toe"], "column 'phrase': the phrase is empty or has spaces"),
    "twice in a part": (["condition:gout", "test", "lay", "Condition:gout in test"],
                        "column 'phrase': the same phrase twice, first in line"),
    "twice in two parts": (["condition:gout", "test", "lay", "condition:gout in train"],
                           "column 'phrase': the same phrase twice, first in line"),
    "under two facts": (["condition:gout", "test", "lay", "condition:copd in test"], "column 'phrase': the same phrase "
                        "under two facts, 'condition:copd', first in line"),
    "frame without its placeholder": (["frame:likes", "test", "lay", "Likes it."],
                                      "column 'phrase': a phrase of 'frame:likes' must hold {items} once"),
    "frame with another placeholder": (["frame:likes", "test", "lay", "Likes {item}."],
                                       "column 'phrase': a phrase of 'frame:likes' must hold {items} once"),
    "frame with two": (["frame:likes", "test", "lay", "Likes {items} and {items}."],
                       "column 'phrase': a phrase of 'frame:likes' must hold {items} once"),
    "placeholder where none is filled": (["condition:gout", "test", "lay", "gout at {age}"],
                                         "column 'phrase': a phrase of 'condition:gout' holds no placeholder"),
    "cells": (["condition:gout", "test", "lay"], ": 3 cells where there must be 4, separated by commas"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_message_of_a_broken_row(tmp_path, kind):
    row, told = BROKEN[kind]
    path = write(tmp_path / "phrases.csv", [*rows(), row])
    text = message(path)
    assert text.startswith(f"1 fault in the table of phrases {path}:")
    assert f"phrases.csv, line {len(rows()) + 2}" in text and told in text


@pytest.mark.parametrize("fact", ["condition:gout", "medicine:statin", "diet:vegan", "wanted:fruit", "frame:likes"])
def test_a_fact_without_a_phrase_for_some_part(tmp_path, fact):
    path = write(tmp_path / "p.csv", [row for row in rows() if row[:2] != [fact, "valid"]])
    assert f"'{fact}' has no phrase for valid; each fact needs one in every part" in message(path)


def test_a_fact_without_any_phrase(tmp_path):
    path = write(tmp_path / "p.csv", [row for row in rows() if row[0] != "condition:gout"])
    assert "'condition:gout' has no phrase for train, valid, test" in message(path)


def test_all_faults_come_at_once(tmp_path):
    text = message(write(tmp_path / "p.csv", [*rows(), *(row for row, _ in BROKEN.values())]))
    assert text.startswith(f"{len(BROKEN)} faults") and text.count("\n  - ") == len(BROKEN)


def test_the_message_holds_twenty_faults(tmp_path):
    text = message(write(tmp_path / "p.csv", []))
    assert text.count("\n  - ") == 20 and text.endswith("more")


def test_another_header(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("fact,phrase\n")
    assert "line 1: bad header: it must be fact,part,kind,phrase" in message(path)


def test_another_encoding(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(b"fact,part,kind,phrase\ncondition:gout,test,lay,caf\xe9\n")
    assert "not UTF-8" in message(path)


def test_no_table(tmp_path):
    assert "no such file" in message(tmp_path / "none.csv")
