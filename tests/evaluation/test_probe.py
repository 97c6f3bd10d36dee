"""task_probe: how far prompts give their task away."""
from __future__ import annotations

import pytest

from recbole_medmoe.evaluation.probe import task_probe


def test_tasks_of_other_words_are_guessed() -> None:
    train = [(f"eat the pear {number}", "food") for number in range(9)] + [("take the pill", "drug")] * 6
    assert task_probe(train, [("eat a pear", "food"), ("take a pill", "drug")]) == {
        "accuracy": 1.0, "majority": 0.5, "tasks": 2, "n": 2}


def test_tasks_of_the_same_words_are_not() -> None:
    told = task_probe([("same words", "a"), ("same words", "b"), ("same words", "a")], [("same words", "b")] * 4)
    assert told["accuracy"] == 0.0 and told["majority"] == 0.0


def test_of_one_task_there_is_nothing_to_guess() -> None:
    assert task_probe([("x", "a")], [("y", "a")])["accuracy"] == 1.0


def test_no_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="prompts"):
        task_probe([], [("y", "a")])
