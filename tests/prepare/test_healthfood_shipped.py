"""The data set as it ships, and that it is what the converter's rules say."""
from __future__ import annotations

import re
import shutil

import pytest

from recbole_medmoe.atomic import read_atomic, read_manifest, read_texts, validate_folder
from recbole_medmoe.paths import dataset_folder, dataset_splits
from recbole_medmoe.prepare.healthfood.document import rule_rows


@pytest.fixture(scope="module")
def folder():
    return dataset_folder("healthfood")


def test_it_is_valid_also_without_the_manifest_vouching_for_it(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "healthfood", ignore=shutil.ignore_patterns("manifest.json", "features"))
    validate_folder(tmp_path / "healthfood")


def test_splits(folder):
    expected = ["cold_item0", "cold_item1", "cold_item2", "cold_patient", "paper177", "warm"]
    assert dataset_splits(folder) == expected and read_manifest(folder).default_split == "cold_patient"


def test_sizes(folder):
    assert len(read_atomic(folder / "healthfood.user")) == 1639 and len(read_atomic(folder / "healthfood.item")) == 81
    assert 8.0 < len(read_atomic(folder / "healthfood.inter")) / 1639 < 8.2


def test_it_is_open_data(folder):
    assert not read_manifest(folder).derived_from_credentialed
    assert (folder / "LICENSE-ODbL.txt").is_file() and (folder / "LICENSE-MIT-grocery.txt").is_file()


def test_texts_hold_no_eicu_id(folder):
    texts = read_texts(folder / "text" / "user.jsonl")
    assert not any(re.search(r"\b\d{3}-\d{3,}\b|\b\d{6,}\b", text) for text in texts.values())


def test_readme_carries_the_rules_as_they_are_now(folder):
    assert rule_rows() in (folder / "README.md").read_text()


def test_item_texts_do_not_give_nutrients_away(folder):
    texts = read_texts(folder / "text" / "item.jsonl")
    assert not any(re.search(r"\d+ ?(kcal|gram|milligram)", text) for text in texts.values())


def test_all_pictures_together_stay_small(folder):
    assert sum(path.stat().st_size for path in (folder / "images").rglob("*.jpg")) < 9_000_000
