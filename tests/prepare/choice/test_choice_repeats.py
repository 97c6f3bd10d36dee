"""Repeats over all sources."""
from __future__ import annotations

import random

import pytest

from recbole_medmoe.prepare.choice.questions import Question
from recbole_medmoe.prepare.choice.repeats import families, overlaps, without_repeats, words

STEM = "A man of sixty comes with chest pain that began an hour ago and a blood pressure of 150/90"


def _question(text: str, options: tuple[str, ...] = ("aspirin", "rest"), source: str = "exam",
              answer: int = 0) -> Question:
    return Question(source, "", text, options, answer)


def _hormone(number: int, source: str) -> Question:
    """A question of its own, the same in every source."""
    return _question(f"Which organ makes hormone number {number}?", (f"organ {number}", "none"), source)


def _counts(questions: list[Question]) -> list[int]:
    return [left for _, left in without_repeats(questions)[1]]


@pytest.mark.parametrize("least", [0.2, 0.4, 0.7])
def test_overlaps_are_those_of_a_naive_loop(least: float) -> None:
    draw = random.Random(0)
    texts = [" ".join(draw.choices("abc", k=draw.randint(1, 7))) for _ in range(300)]
    shingles = [{" ".join(text.split()[place:place + 3]) for place in range(max(1, len(text.split()) - 2))}
                for text in texts]
    naive = {(one, other) for one in range(300) for other in range(one + 1, 300)
             if len(shingles[one] & shingles[other]) >= least * len(shingles[one] | shingles[other])}
    assert set(overlaps(texts, least)) == naive and len(naive) > 100


def test_words_ignore_case_punctuation_and_forms_of_characters() -> None:
    assert words("Bile: WHICH ﬁrst—organ?") == "bile which first organ"


def test_the_same_question_with_other_distractors_is_a_copy() -> None:
    pair = [_question("Which drug?"), _question("WHICH drug", ("statin", "aspirin", "tea"), "b", 1)]
    others = [_question("Which organ?", source="exam"), _question("Which vitamin?", source="b")]
    assert _counts([*pair, *others]) == [4, 3, 3]


def test_a_common_stem_with_other_options_is_no_copy() -> None:
    assert _counts([_question("Which is true?"), _question("Which is true?", ("liver", "spleen"))]) == [2, 2, 2]


def test_a_reworded_question_with_the_same_answer_is_a_near_copy() -> None:
    told = [_question(f"{STEM}. Which drug is the best next step?"),
            _question(f"{STEM}. What is the most appropriate next step?", ("Aspirin.", "surgery"))]
    assert _counts(told) == [2, 2, 1]


def test_a_shared_passage_with_another_answer_is_no_copy_but_stays_together() -> None:
    told = [_question(f"{STEM}. Which drug?"), _question(f"{STEM}. Which organ?", ("heart", "lung")),
            _question("Which vitamin is soluble in water?")]
    assert _counts(told) == [3, 3, 3]
    assert sorted(families(told)) == [[0, 1], [2]]


def test_a_source_that_another_one_holds_whole_goes_before_the_lot() -> None:
    told = [_hormone(number, source) for number in range(6) for source in ("a", "b")]
    kept, counts = without_repeats([*told, _question("Which vitamin is soluble in water?", source="a")])
    assert {question.source for question in kept} == {"a"} and len(kept) == 7
    assert counts[0] == ("without sources that one other source holds whole (b)", 7)


def test_of_two_sources_that_hold_each_other_the_later_name_goes() -> None:
    told = [_question("Which organ?", source=source) for source in ("a", "a_more_options")]
    assert [question.source for question in without_repeats(told)[0]] == ["a"]


def test_the_order_of_questions_does_not_show() -> None:
    told = [_hormone(number % 20, "ab"[number // 20]) for number in range(40)]
    told += [_question("Which vitamin?", source="a"), _question("Which salt?", source="b")]
    mixed = random.Random(1).sample(told, len(told))
    assert without_repeats(told) == without_repeats(mixed)
    assert {question.source for question in without_repeats(told)[0]} == {"a", "b"}
