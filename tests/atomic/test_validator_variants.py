"""Sub-folders of a data set: triples of label variants, texts of one split."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from recbole_medmoe.atomic import AtomicError, validate_folder, write_manifest
from recbole_medmoe.errors import DataError

HEADER = "user_id:token\titem_id:token\n"
# part of the variant's triple, its new rows (None: remove it), and what one line of the message says
BROKEN = {
    "unknown item": ("test", "u1\tpear\n", "labels/A/food.warm.test.inter, line 2, column 'item_id': unknown id: no "
                     "such item ('pear') in food.item; right: u1<TAB>i1"),
    "unknown user": ("test", "u9\tkiwi\n", "labels/A/food.warm.test.inter, line 2, column 'user_id': unknown id: no "
                     "such user in food.user"),
    "duplicate row": ("test", "u1\tkiwi\nu1\tkiwi\n", "labels/A/food.warm.test.inter, line 3: duplicate row"),
    "leakage": ("test", "u1\tmilk\n", "labels/A/food.warm.test.inter, line 2: leakage: the same user and item are in "
                "labels/A/food.warm.train.inter"),
    "empty part": ("valid", "", "labels/A/food.warm.valid.inter: empty split: the file has a header but no rows"),
    "missing part": ("valid", None, "labels/A/food.warm.valid.inter: the file is missing: split 'warm' needs train, "
                     "valid and test"),
}


def _texts(food: Path, split: str, *ids: str) -> None:
    (food / "text" / split).mkdir()
    lines = [f'{{"id": "{name}", "text": "other words"}}\n' for name in ids]
    (food / "text" / split / "user.jsonl").write_text("".join(lines), encoding="utf-8")


def _message(food: Path, **asked) -> str:
    with pytest.raises(AtomicError) as caught:
        validate_folder(food, **asked)
    return str(caught.value)


def test_a_right_variant_passes(food: Path, add_variant: Callable[[str], Path]) -> None:
    add_variant("A")
    validate_folder(food)
    validate_folder(food, splits=["warm"], labels="A")


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("asked", [{}, {"splits": ["warm"], "labels": "A"}], ids=["whole", "run"])
def test_message_of_a_broken_variant(food: Path, add_variant: Callable[[str], Path], kind: str, asked: dict) -> None:
    part, rows, told = BROKEN[kind]
    (food / "food.warm.candidates.csv").unlink()
    path = add_variant("A") / f"food.warm.{part}.inter"
    if rows is None:
        path.unlink()
    else:
        path.write_text(HEADER + rows, encoding="utf-8")
    assert f"  - {told}" in _message(food, **asked)


def test_a_run_without_the_variant_does_not_read_it(food: Path, add_variant: Callable[[str], Path]) -> None:
    (add_variant("A") / "food.warm.test.inter").write_text("broken")
    validate_folder(food, splits=["warm"])


def test_a_run_with_the_variant_does_not_read_the_own_labels(food: Path, add_variant: Callable[[str], Path]) -> None:
    add_variant("A")
    (food / "food.warm.test.inter").write_text("broken")
    validate_folder(food, splits=["warm"], labels="A")


def test_unknown_variant_gets_the_nearest(food: Path, add_variant: Callable[[str], Path]) -> None:
    add_variant("D01")
    with pytest.raises(DataError, match="no label variant 'D1'; did you mean 'D01'?"):
        validate_folder(food, splits=["warm"], labels="D1")


@pytest.mark.parametrize("name", ["food.cold.train.inter", "other.warm.train.inter", "food.warm.inter", "notes.txt"])
def test_a_file_that_no_split_reads_is_told(food: Path, add_variant: Callable[[str], Path], name: str) -> None:
    (add_variant("A") / name).write_text(HEADER)
    assert (f"labels/A/{name}: a label variant holds <name>.<split>.<train, valid or test>.inter of a split of the "
            "data set; right: labels/A/food.warm.train.inter") in _message(food)


def test_texts_of_a_split_pass(food: Path) -> None:
    _texts(food, "warm", "u1", "u2")
    validate_folder(food)


def test_texts_of_an_unknown_split(food: Path) -> None:
    _texts(food, "wram", "u1", "u2")
    assert "text/wram/user.jsonl: unknown split 'wram'; did you mean 'warm'?" in _message(food)


def test_texts_of_a_split_name_known_ids(food: Path) -> None:
    _texts(food, "warm", "u1", "u2", "u9")
    assert "text/warm/user.jsonl, line 3, column 'id': unknown id: no such user in food.user" in _message(food)


@pytest.mark.parametrize("asked", [{}, {"splits": ["warm"]}], ids=["whole", "run"])
def test_texts_of_a_split_cover_its_rows(food: Path, asked: dict) -> None:
    _texts(food, "warm", "u2")
    assert ("text/warm/user.jsonl: 1 of the 2 users of split 'warm' have no text; this file is read in place of "
            "text/user.jsonl") in _message(food, **asked)


def test_common_texts_may_leave_someone_out(food: Path) -> None:
    (food / "text" / "user.jsonl").write_text('{"id": "u1", "text": "A man of 61."}\n')
    validate_folder(food)


def test_a_changed_file_of_a_variant_differs_from_the_manifest(food: Path, add_variant: Callable[[str], Path]) -> None:
    path = add_variant("A") / "food.warm.test.inter"
    write_manifest(food, title="Food", source=["by hand"], licence="MIT", command="test", splits={"warm": "w"})
    path.write_text(HEADER + "u1\tapple\n", encoding="utf-8")
    assert "labels/A/food.warm.test.inter: manifest hash mismatch" in _message(food, splits=["warm"], labels="A")
    validate_folder(food, splits=["warm"])
