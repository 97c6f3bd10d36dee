"""Reads multiple-choice questions from JSON lines and tells every line that is none, with file and line."""
from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Iterator, Sequence

from ...atomic import MAX_FAULTS, Fault
from ...errors import DataError

__all__ = ["Question", "read_questions"]
EXAMPLE = '{"question": "Which organ makes bile?", "options": {"A": "Liver", "B": "Spleen"}, "answer_idx": "A"}'
SUBJECT_KEYS = ("subject", "src", "meta_info")
"""Keys that name a question's subject; the first that a line has counts."""
FILLERS = ("", "n/a")
"""Options that stand in for none, in lower case: some sources fill up to a fixed number."""
SAME = "questions all of whose options are the same, left out"
_SPACE = re.compile(r"\s+")
_COPIED = re.compile(r"^ori_[a-z]+-")  # how MMLU-Pro marks where a question was taken from
_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Question:
    """One question.

    Args:
        source: the file's name up to its first dot.
        subject: in lower case and dashes; empty where the line names none.
        text: the question, white space made single spaces.
        options: distinct, in the order in which they are shown.
        answer: place of the right one, from 0.
    """

    source: str
    subject: str
    text: str
    options: tuple[str, ...]
    answer: int

    @property
    def task(self) -> str:
        """``source``, or ``source.subject`` where there is one."""
        return f"{self.source}.{self.subject}" if self.subject else self.source

    @cached_property
    def key(self) -> str:
        """Hash of question and options: orders questions, whatever file they came from."""
        return hashlib.sha256("\n".join([self.text, *self.options, str(self.answer)]).encode()).hexdigest()


def read_questions(files: Sequence[Path]) -> tuple[list[Question], dict[str, int]]:
    """Questions of all files, sorted, so that neither the order of files nor that of lines shows.

    A line is an object with ``question``, ``options`` (name to text), ``answer_idx`` (a name among them) and, where a
    source has them, ``answer`` (the right option's text) and one of ``SUBJECT_KEYS``. Explanations are never read.

    Returns:
        The questions, and what was left out on the way -> how many.

    Raises:
        DataError: a file is missing or empty, or all lines that are no question.
    """
    found: list[Question] = []
    faults: list[Fault] = []
    cleaned: Counter[str] = Counter()
    for path in files:
        empty = True
        for number, line in _lines(path):
            empty = False
            question, fault = _question(path, number, line, cleaned)
            found += [question] if question else []
            faults += [fault] if fault else []
        if empty:
            raise DataError(f"{path}: no questions in this file; each line is one, e.g. {EXAMPLE}")
    if faults:
        head = f"{len(faults)} lines are no question:" if len(faults) > 1 else "1 line is no question:"
        more = [f"  ... and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        raise DataError("\n".join([head, *(f"  - {fault}" for fault in faults[:MAX_FAULTS]), *more]))
    words = (SAME, "options that stand in for none, removed", "options that repeat one of the same question, removed")
    return sorted(found, key=lambda each: (each.key, each.task)), {word: cleaned[word] for word in words}


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Line numbers from 1 and lines of a file that may be gzipped."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    with opened as stream:
        try:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line
        except (OSError, EOFError) as fault:
            raise DataError(f"{path}: not a whole gzip file ({fault}); fetch it again") from fault


def _question(path: Path, number: int, line: bytes, cleaned: Counter[str]) -> tuple[Question | None, Fault | None]:
    """The question of one line, or what is wrong with it."""
    def fault(rule: str, key: str | None = None) -> tuple[None, Fault]:
        return None, Fault(path.name, rule, number, key, EXAMPLE)

    try:
        row = json.loads(line.decode("utf-8"))
    except ValueError:   # not UTF-8 or not JSON
        return fault("not JSON: each line is one JSON object")
    if not isinstance(row, dict):
        return fault("not a JSON object")
    text, options, answer = (row.get(key) for key in ("question", "options", "answer_idx"))
    if not isinstance(text, str) or not text.strip():
        return fault("the question is missing or empty", "question")
    if not isinstance(options, dict) or not all(isinstance(told, str) for told in options.values()):
        return fault("the options are missing, or are no object of names and texts", "options")
    shown = {name: _plain(told) for name, told in options.items() if _plain(told).lower() not in FILLERS}
    if len(shown) < 2:
        return fault("a question needs at least two options", "options")
    if answer not in shown:
        return fault("the answer is none of the options", "answer_idx")
    if isinstance(row.get("answer"), str) and _plain(row["answer"]) != shown[answer]:
        return fault("the answer's text is not that of the option that answer_idx names", "answer")
    distinct = list(dict.fromkeys(shown.values()))
    if len(distinct) < 2:
        cleaned[SAME] += 1
        return None, None
    cleaned["options that stand in for none, removed"] += len(options) - len(shown)
    cleaned["options that repeat one of the same question, removed"] += len(shown) - len(distinct)
    return Question(path.name.split(".")[0].lower(), _subject(row), _plain(text), tuple(distinct),
                    distinct.index(shown[answer])), None


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _subject(row: dict[str, Any]) -> str:
    named = next((row[key] for key in SUBJECT_KEYS if isinstance(row.get(key), str)), "")
    return _SLUG.sub("-", _COPIED.sub("", named.lower())).strip("-")
