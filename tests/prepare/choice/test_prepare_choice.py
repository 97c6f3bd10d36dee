"""The whole converter."""
from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Callable

import pytest
import yaml

from recbole_medmoe.atomic import (PARTS, check_manifest, inter_path, read_atomic, read_candidates, read_manifest,
                                   read_texts)
from recbole_medmoe.cli import main
from recbole_medmoe.errors import DataError
from recbole_medmoe.paths import properties_dir
from recbole_medmoe.prepare import prepare_choice
from recbole_medmoe.prepare.choice.write import SETTINGS


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def made(sources: list[Path], tmp_path: Path) -> Path:
    prepare_choice(sources, tmp_path / "mcq", lambda _: None)
    return tmp_path / "mcq"


def test_every_question_has_its_options_in_order_and_one_right_one(made: Path) -> None:
    texts, options = read_texts(made / "text" / "user.jsonl"), read_texts(made / "text" / "item.jsonl")
    own, rows = read_candidates(made), read_atomic(made / "mcq.inter")
    assert len(rows) == len(own) == len(texts) == 60
    by_text = {texts[user]: [options[item] for item in items] for user, items in own.items()}
    assert by_text["Does drug 3 lower marker 33 in trial 9?"] == ["yes", "no", "maybe"]
    right = {texts[user]: options[item] for user, item in zip(rows["user_id"], rows["item_id"])}
    assert right["Does drug 3 lower marker 33 in trial 9?"] == "no"


def test_tasks_and_parts_are_told_and_hashes_fit(made: Path) -> None:
    assert set(read_atomic(made / "mcq.user")["task"]) == {"exam.heart", "exam.lung", "quiz"}
    assert sum(len(read_atomic(inter_path(made, "question", part))) for part in PARTS) == 60
    assert check_manifest(made) == [] and read_manifest(made).default_split == "question"
    readme = (made / "README.md").read_text(encoding="utf-8")
    assert "must not be compared with published ones" in readme and "`quiz` | not known to the converter" in readme


def test_the_same_bytes_come_out_twice_and_for_shuffled_input(sources: list[Path], made: Path, tmp_path: Path,
                                                              write: Callable[..., Path]) -> None:
    prepare_choice(sources, tmp_path / "twice" / "mcq", lambda _: None)
    rows = [json.loads(text) for text in sources[0].read_text(encoding="utf-8").splitlines()]
    random.Random(0).shuffle(rows)
    shuffled = write(sources[0].name, rows, "shuffled")
    prepare_choice([sources[1], shuffled], tmp_path / "other" / "mcq", lambda _: None)
    assert _files(made) == _files(tmp_path / "twice" / "mcq") == _files(tmp_path / "other" / "mcq")


def test_the_licence_beside_the_questions_comes_along(sources: list[Path], tmp_path: Path) -> None:
    (sources[0].parent / "LICENSE.txt").write_text("Free for all.\n", encoding="utf-8")
    prepare_choice(sources, tmp_path / "mcq", lambda _: None)
    assert (tmp_path / "mcq" / "LICENSE.txt").read_text(encoding="utf-8") == "Free for all.\n"


def test_what_it_makes_can_be_run_at_once(made: Path, tmp_path: Path) -> None:
    code = main(["--model", "OptionPosition", "--dataset", "mcq", f"--data_path={made.parent}", "--device=cpu",
                 "--runs-dir", str(tmp_path / "runs")])
    assert code == 0 and len(list((tmp_path / "runs" / "mcq").glob("OptionPosition/*/record.json"))) == 1


def test_a_data_set_of_a_known_name_leaves_its_settings_to_the_package(sources: list[Path], tmp_path: Path) -> None:
    prepare_choice(sources, tmp_path / "med-mcq", lambda _: None)
    shipped = yaml.safe_load((properties_dir() / "dataset" / "med-mcq.yaml").read_text(encoding="utf-8"))
    assert not (tmp_path / "med-mcq" / "med-mcq.yaml").exists() and shipped == SETTINGS


def test_a_folder_that_holds_something_else_is_left_alone(sources: list[Path], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="name another folder"):
        prepare_choice(sources, tmp_path / "mine", lambda _: None)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_fault_leaves_an_earlier_data_set_whole(sources: list[Path], made: Path, write: Callable[..., Path]) -> None:
    before, single = _files(made), {"question": "Which?", "options": {"A": "a", "B": "b"}, "answer_idx": "A"}
    with pytest.raises(DataError, match="too few questions for three parts"):
        prepare_choice([write("one.jsonl", [single])], made, lambda _: None)
    assert _files(made) == before and [path for path in made.parent.iterdir() if path.name.startswith(".")] == []


def test_the_command_line_makes_it(sources: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "choice", *map(str, sources), "--out", str(tmp_path / "mcq")]) == 0
    told = capsys.readouterr()
    assert "exact copies left out" in told.out + told.err and (tmp_path / "mcq" / "candidates.csv").is_file()


def test_the_command_line_names_file_and_line_of_a_fault(write: Callable[..., Path], tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "choice", str(write("exam.jsonl", ["{"])), "--out", str(tmp_path / "mcq")]) == 2
    assert "exam.jsonl, line 1" in "".join(capsys.readouterr()).replace("\n", " ") and not (tmp_path / "mcq").exists()
