"""Small files of questions, made in code."""
from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Callable

import pytest

SUBJECTS = ("heart", "lung")


def _line(question: str, options: list[str], answer: int = 0, **more: Any) -> dict[str, Any]:
    """One question as its file has it."""
    named = dict(zip("ABCDEFGHIJ", options))
    return {"question": question, "options": named, "answer_idx": "ABCDEFGHIJ"[answer], **more}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write("exam.test.jsonl", rows)``; a name that ends in ``.gz`` is gzipped."""

    def make(name: str, rows: list[Any], folder: str = "raw") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return make


@pytest.fixture
def sources(write: Callable[..., Path]) -> list[Path]:
    """Two sources: 40 questions of two subjects, and 20 without one; no two are alike."""
    exam = [_line(f"Which vessel of number {number} leaves chamber {number * 7} of the model organ?",
                  [f"vessel {number}", f"vein {number}", "none of them"], number % 3, subject=SUBJECTS[number % 2])
            for number in range(40)]
    quiz = [_line(f"Does drug {number} lower marker {number * 11} in trial {number * 3}?", ["yes", "no", "maybe"],
                  number % 2) for number in range(20)]
    return [write("exam.test.jsonl", exam), write("quiz.train.jsonl.gz", quiz)]
