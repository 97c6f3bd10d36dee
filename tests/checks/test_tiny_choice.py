"""The tiny data set of questions."""
from __future__ import annotations

from pathlib import Path

from recbole_medmoe.atomic import read_atomic, read_candidates, validate_folder
from recbole_medmoe.checks.tiny_choice import make_choices


def test_it_keeps_the_rules_of_atomic_folders(tiny_choice: Path) -> None:
    validate_folder(tiny_choice)


def test_the_same_bytes_come_out_twice(tiny_choice: Path, tmp_path: Path) -> None:
    again = make_choices(tmp_path / "tinychoice")
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(files) > 8 and all((again / name).read_bytes() == (tiny_choice / name).read_bytes() for name in files)


def test_one_option_of_each_question_is_good_against_what_it_asks_for(tiny_choice: Path) -> None:
    category = dict(read_atomic(tiny_choice / "tinychoice.item")[["item_id", "category"]].to_numpy().tolist())
    rows = read_atomic(tiny_choice / "tinychoice.user").merge(read_atomic(tiny_choice / "tinychoice.inter"))
    own = read_candidates(tiny_choice)
    for user, (wanted,), right in zip(rows["user_id"], rows["conditions"], rows["item_id"]):
        assert [item for item in own[user] if category[item] == wanted] == [right]
    assert len({own[user].index(right) for user, right in zip(rows["user_id"], rows["item_id"])}) == 4
