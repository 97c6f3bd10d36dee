"""``candidates.csv``: the options of each question."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from recbole_medmoe.atomic import AtomicError, data_sha256, read_candidates, validate_folder
from recbole_medmoe.checks.tiny_choice import make_choices


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_choices(tmp_path / "tinychoice")


@pytest.fixture
def change(folder: Path) -> Callable[[Callable[[list[str]], list[str]]], None]:
    """Changes the lines of the file."""

    def write(edit: Callable[[list[str]], list[str]]) -> None:
        path = folder / "candidates.csv"
        path.write_text("\n".join(edit(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")

    return write


def test_options_come_in_file_order(folder: Path) -> None:
    lines = (folder / "candidates.csv").read_text(encoding="utf-8").splitlines()[1:]
    found = read_candidates(folder)
    assert [f"{user},{item}" for user, items in found.items() for item in items] == lines


def test_a_data_set_without_the_file_has_none(folder: Path) -> None:
    (folder / "candidates.csv").unlink()
    assert read_candidates(folder) == {}


@pytest.mark.parametrize(("edit", "rule"), [
    (lambda lines: ["question,option", *lines[1:]], "line 1: bad header: it must be user_id,item_id"),
    (lambda lines: [lines[0], "q01;egg", *lines[2:]], "line 2: bad separator: 1 cells where there must be 2"),
    (lambda lines: [*lines, "q99,egg"], "unknown id: no such user"),
    (lambda lines: [*lines, "q01,soap"], "unknown id: no such item"),
    (lambda lines: [*lines, lines[1]], "duplicate row"),
    (lambda lines: [line for line in lines if not line.startswith("q30,")], "the user has no candidates")])
def test_faults_name_file_line_and_rule(folder: Path, change: Callable[..., None],
                                        edit: Callable[[list[str]], list[str]], rule: str) -> None:
    change(edit)
    with pytest.raises(AtomicError) as caught:
        validate_folder(folder)
    assert rule in str(caught.value)


def test_an_answer_outside_its_options_is_named_where_it_stands(folder: Path) -> None:
    path = folder / "tinychoice.question.test.inter"
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    own = read_candidates(folder)[first.split("\t")[0]]
    other = next(item for item in ("apple", "egg", "juice", "lemon", "kiwi") if item not in own)
    path.write_text("\n".join([header, f"{first.split()[0]}\t{other}", *rest]) + "\n", encoding="utf-8")
    with pytest.raises(AtomicError, match=r"tinychoice\.question\.test\.inter, line 2, column 'item_id': the item is "
                                          "none of the user's candidates"):
        validate_folder(folder, splits=["question"])


def test_a_single_candidate_is_no_choice(folder: Path, change: Callable[..., None]) -> None:
    right = (folder / "tinychoice.inter").read_text(encoding="utf-8").splitlines()[1].replace("\t", ",")
    change(lambda lines: [line for line in lines if not line.startswith("q01,") or line == right])
    with pytest.raises(AtomicError, match="1 of 30 users have a single candidate"):
        validate_folder(folder)


def test_the_hash_of_a_run_s_data_covers_the_options(folder: Path, change: Callable[..., None]) -> None:
    before = data_sha256(folder, "question")
    change(lambda lines: [lines[0], *lines[2:], lines[1]])
    assert data_sha256(folder, "question") != before
