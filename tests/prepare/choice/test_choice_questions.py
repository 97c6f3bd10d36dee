"""Reading questions from JSON lines."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.choice.questions import Question, read_questions


def line(question: str, options: list[str], right: int = 0, **more: Any) -> dict[str, Any]:
    """One question as its file has it."""
    return {"question": question, "options": dict(zip("ABCDE", options)), "answer_idx": "ABCDE"[right], **more}


BILE = line("Which organ\r\n makes  bile?", ["Liver", "Spleen"], answer="Liver")


def test_a_line_becomes_a_question(write: Callable[..., Path]) -> None:
    (found,), _ = read_questions([write("Exam.test.jsonl", [BILE])])
    assert found == Question("exam", "", "Which organ makes bile?", ("Liver", "Spleen"), 0) and found.task == "exam"


@pytest.mark.parametrize(("more", "task"), [
    ({"subject": "anatomy", "src": "other"}, "exam.anatomy"), ({"src": "ori_mmlu-human_aging"}, "exam.human-aging"),
    ({"meta_info": "step2&3"}, "exam.step2-3"), ({"category": "health"}, "exam")])
def test_the_first_key_that_names_a_subject_makes_the_task(write: Callable[..., Path], more: dict[str, str],
                                                           task: str) -> None:
    (found,), _ = read_questions([write("exam.jsonl.gz", [{**BILE, **more}])])
    assert found.task == task


def test_options_that_stand_for_none_or_repeat_go_and_are_counted(write: Callable[..., Path]) -> None:
    rows = [line("Which?", ["a", "N/A", "b", "a", ""], 3)]
    (found,), cleaned = read_questions([write("exam.jsonl", rows)])
    assert found.options == ("a", "b") and found.answer == 0
    assert list(cleaned.values()) == [0, 2, 1]


def test_a_question_whose_options_are_all_the_same_is_left_out_and_counted(write: Callable[..., Path]) -> None:
    found, cleaned = read_questions([write("exam.jsonl", [BILE, line("Which?", ["a", "a", "a"])])])
    assert len(found) == 1 and list(cleaned.values()) == [1, 0, 0]


@pytest.mark.parametrize(("row", "rule"), [
    ("{", "not JSON"), ([1], "not a JSON object"), ({**BILE, "question": " "}, "the question is missing or empty"),
    ({"question": "Which?", "answer_idx": "A"}, "the options are missing"),
    ({**BILE, "options": {"A": 1, "B": 2}}, "the options are missing, or are no object of names and texts"),
    (line("Which?", ["a", "n/a"]), "at least two options"), ({**BILE, "answer_idx": "C"}, "none of the options"),
    ({**BILE, "answer": "Spleen"}, "not that of the option")])
def test_a_line_that_is_no_question_is_named_with_file_and_line(write: Callable[..., Path], row: Any,
                                                                rule: str) -> None:
    with pytest.raises(DataError, match=r"exam\.jsonl, line 2") as caught:
        read_questions([write("exam.jsonl", [BILE, row, BILE])])
    assert rule in str(caught.value) and "Spleen" not in str(caught.value).split("; right:")[0]


def test_all_faults_of_all_files_are_told_at_once(write: Callable[..., Path]) -> None:
    files = [write("a.jsonl", ["{", BILE]), write("b.jsonl", [BILE, "["])]
    with pytest.raises(DataError, match=r"2 lines are no question:(.|\n)*a\.jsonl, line 1(.|\n)*b\.jsonl, line 2"):
        read_questions(files)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_questions_is_refused(write: Callable[..., Path], content: str) -> None:
    with pytest.raises(DataError, match="no questions in this file"):
        read_questions([write("exam.jsonl", [content])])


def test_a_truncated_gzip_file_is_refused(write: Callable[..., Path]) -> None:
    path = write("exam.jsonl.gz", [BILE] * 50)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="not a whole gzip file"):
        read_questions([path])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_questions([tmp_path / "exam.jsonl"])
