"""Parts of questions."""
from __future__ import annotations

import random
from collections import Counter

from recbole_medmoe.prepare.choice.questions import Question
from recbole_medmoe.prepare.choice.splits import draw_parts

MANY = [Question("exam", "", f"Which organ {number}?", ("a", "b"), 0) for number in range(400)]
FEW = [Question("quiz", "", f"Which drug {number}?", ("a", "b"), 0) for number in range(40)]


def _alone(questions: list[Question]) -> list[list[int]]:
    return [[place] for place in range(len(questions))]


def test_a_large_task_tests_a_fifth_and_a_small_one_half() -> None:
    questions = MANY + FEW
    parts = Counter(zip((question.source for question in questions), draw_parts(questions, _alone(questions))))
    assert parts == {("exam", "train"): 280, ("exam", "valid"): 40, ("exam", "test"): 80,
                     ("quiz", "train"): 16, ("quiz", "valid"): 4, ("quiz", "test"): 20}


def test_families_are_never_divided() -> None:
    families = [list(range(first, first + 5)) for first in range(0, 400, 5)]
    parts = draw_parts(MANY, families)
    assert all(len({parts[place] for place in family}) == 1 for family in families) and len(set(parts)) == 3


def test_a_question_keeps_its_part_whatever_the_order() -> None:
    order = random.Random(0).sample(range(400), 400)
    first, mixed = draw_parts(MANY, _alone(MANY)), draw_parts([MANY[place] for place in order], _alone(MANY))
    assert [first[place] for place in order] == mixed
