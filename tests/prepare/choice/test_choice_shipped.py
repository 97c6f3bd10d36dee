"""The data set med-mcq as it ships."""
from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from recbole_medmoe.atomic import (PARTS, check_manifest, inter_path, read_atomic, read_candidates, read_manifest,
                                   read_texts, validate_folder)
from recbole_medmoe.paths import dataset_folder, dataset_splits
from recbole_medmoe.prepare.choice.repeats import SIBLINGS, overlaps, words


@pytest.fixture(scope="module")
def folder() -> Path:
    return dataset_folder("med-mcq")


@pytest.fixture(scope="module")
def part_of(folder: Path) -> dict[str, str]:
    return {user: part for part in PARTS for user in read_atomic(inter_path(folder, "question", part))["user_id"]}


def test_it_is_valid_also_without_the_manifest_vouching_for_it(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "med-mcq", ignore=shutil.ignore_patterns("manifest.json", "features"))
    validate_folder(tmp_path / "med-mcq")


def test_every_file_is_as_it_was_made(folder: Path) -> None:
    assert check_manifest(folder) == [] and dataset_splits(folder) == ["question"]


def test_sizes(folder: Path, part_of: dict[str, str]) -> None:
    assert Counter(part_of.values()) == {"train": 4680, "valid": 687, "test": 1507}
    own = read_candidates(folder)
    assert len(own) == 6874 and sum(map(len, own.values())) == 29546
    assert {len(items) for items in own.values()} == set(range(2, 11))
    assert len(read_atomic(folder / "med-mcq.item")) == 21875
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 15_000_000


def test_twenty_tasks_train_and_test(folder: Path, part_of: dict[str, str]) -> None:
    users = read_atomic(folder / "med-mcq.user")
    sizes = Counter(zip(users["task"], (part_of[user] for user in users["user_id"])))
    assert len({task for task, _ in sizes}) == 20 and len(sizes) == 60
    assert sum(count >= 20 for (_, part), count in sizes.items() if part == "test") == 18


def test_what_the_filters_left_is_told(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert [count.kept for count in manifest.counts] == [8824, 7551, 6901, 6874]
    assert "medqa_5options" in manifest.counts[1].filter and manifest.licence.startswith("Apache-2.0")
    assert (folder / "LICENSE.txt").read_text(encoding="utf-8").lstrip().startswith("Apache License")


def test_no_passage_or_stem_is_in_two_parts(folder: Path, part_of: dict[str, str]) -> None:
    texts = read_texts(folder / "text" / "user.jsonl")
    short = {user: words(text) for user, text in texts.items() if len(text) < 200}   # the rest takes too long here
    users = list(short)
    pairs = list(overlaps(list(short.values()), SIBLINGS))
    assert len(pairs) > 50 and all(part_of[users[one]] == part_of[users[other]] for one, other in pairs)
