"""Who trains, validates and tests: drawn by SHA-256, never by the order of files."""
from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import Sequence

from .questions import Question

__all__ = ["SPLIT", "TOLD", "draw_parts"]
SPLIT = "question"
SEED = "recbole_medmoe choice splits 1"
VALID, TEST = 0.1, 0.2
LEAST_TEST = 30
"""Test questions that a task gets where that is at most half of it: fewer than 20 would not be shown."""
TOLD = ("new questions of known tasks: of each task 20 % test (at least 30 questions, at most half), 10 % validate, "
        "the rest trains; questions that share a passage or a stem stay together")


def draw_parts(questions: Sequence[Question], families: Sequence[Sequence[int]]) -> list[str]:
    """The part of each question: ``train``, ``valid`` or ``test``.

    Args:
        questions: N questions.
        families: places of questions that stay together; each belongs to the task of its first question in order of
            keys, and its task's families are drawn in the order of their hashes until the shares are reached.
    """
    sizes = Counter(question.task for question in questions)
    by_task: dict[str, list[tuple[str, Sequence[int]]]] = defaultdict(list)
    for family in families:
        head = min((questions[place] for place in family), key=lambda question: question.key)
        lot = hashlib.sha256(f"{SEED}\n{head.key}".encode()).hexdigest()
        by_task[head.task].append((lot, family))
    parts = ["train"] * len(questions)
    for task, drawn in by_task.items():
        size, order = sizes[task], iter([family for _, family in sorted(drawn)])
        wanted = {"test": max(round(TEST * size), min(LEAST_TEST, size // 2)), "valid": round(VALID * size)}
        for part, count in wanted.items():
            while count > 0 and (family := next(order, ())):
                count -= len(family)
                for place in family:
                    parts[place] = part
    return parts
