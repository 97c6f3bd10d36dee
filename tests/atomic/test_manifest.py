"""The manifest says where a data set comes from and whether its files are the ones it was made with."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest

from recbole_medmoe.atomic import Manifest, check_manifest, data_sha256, read_manifest, refresh_manifest, write_manifest
from recbole_medmoe.errors import DataError


def _write(folder: Path) -> Manifest:
    return write_manifest(folder, title="Food", source=["by hand", {"name": "USDA", "licence": "CC0"}], licence="MIT",
                          command="make it", counts=[{"filter": "all", "kept": 4}, {"filter": "adults", "kept": 2}],
                          splits={"warm": "every user trains"}, default_split="warm")


def test_round_trip(food: Path) -> None:
    written = _write(food)
    assert read_manifest(food) == written


def test_fields_in_the_file(food: Path) -> None:
    _write(food)
    document = json.loads((food / "manifest.json").read_text())
    assert document["schema"] == 1 and document["name"] == "food" and document["derived_from_credentialed"] is False
    assert [count["filter"] for count in document["counts"]] == ["all", "adults"]
    assert document["splits"] == {"warm": {"description": "every user trains"}}
    assert len(document["files"]["images/apple.png"]["sha256"]) == 64 and "manifest.json" not in document["files"]


def test_writing_again_gives_the_same_bytes(food: Path) -> None:
    _write(food)
    before = (food / "manifest.json").read_bytes()
    _write(food)
    assert (food / "manifest.json").read_bytes() == before


def test_untouched_folder_has_no_faults(food: Path) -> None:
    _write(food)
    assert check_manifest(food) == []


def test_changed_missing_and_new_files_are_told(food: Path) -> None:
    _write(food)
    (food / "food.item").write_text("other")
    (food / "food.user").unlink()
    (food / "notes.txt").write_text("new")
    told = check_manifest(food)
    assert [fault.split(":")[0] for fault in told] == ["food.item", "food.user", "notes.txt"]


def test_change_of_the_same_size_is_told(food: Path) -> None:
    _write(food)
    path = food / "food.item"
    path.write_bytes(path.read_bytes().replace(b"milk", b"silk"))
    assert len(check_manifest(food)) == 1


def test_refresh_keeps_all_but_the_hashes(food: Path) -> None:
    before = _write(food)
    (food / "food.item").write_text("other")
    after = refresh_manifest(food)
    assert check_manifest(food) == [] and after.counts == before.counts and after.files != before.files


def test_default_split_must_be_offered(food: Path) -> None:
    with pytest.raises(DataError, match="default split 'cold' is not among the splits"):
        write_manifest(food, title="", source=[], licence="", command="", default_split="cold")


def test_no_manifest(food: Path) -> None:
    with pytest.raises(DataError, match="manifest.json: no such file"):
        read_manifest(food)


def test_manifest_that_is_no_json(food: Path) -> None:
    (food / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="manifest.json: not JSON"):
        read_manifest(food)


def test_manifest_with_wrong_fields_names_them(food: Path) -> None:
    _write(food)
    document = json.loads((food / "manifest.json").read_text())
    del document["licence"]
    document["counts"][0]["kept"] = -1
    (food / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="licence: Field required; counts.0.kept: Input should be greater"):
        read_manifest(food)


def test_data_hash_depends_on_what_the_split_reads(food: Path) -> None:
    before = data_sha256(food, "warm")
    (food / "README.md").write_text("words")
    (food / "food.inter").write_text("not read by a pre-split run")
    assert data_sha256(food, "warm") == before
    (food / "food.warm.test.inter").write_text("user_id:token\titem_id:token\nu1\tkiwi\n")
    assert data_sha256(food, "warm") != before


def test_data_hash_of_a_split_and_of_the_whole_differ(food: Path) -> None:
    assert data_sha256(food, "warm") != data_sha256(food, None)


def test_data_hash_of_a_variant_reads_its_triple_alone(food: Path, add_variant: Callable[[str], Path]) -> None:
    own, variant = data_sha256(food, "warm"), data_sha256(food, "warm", add_variant("A").name)
    assert own != variant and data_sha256(food, "warm") == own
    (food / "food.warm.test.inter").write_text("not read under a variant")
    assert data_sha256(food, "warm", "A") == variant
    (food / "labels" / "A" / "food.warm.test.inter").write_text("user_id:token\titem_id:token\nu1\tkiwi\n")
    assert data_sha256(food, "warm", "A") != variant


def test_data_hash_of_a_split_with_its_own_texts(food: Path) -> None:
    common = data_sha256(food, "warm")
    (food / "text" / "warm").mkdir()
    (food / "text" / "warm" / "user.jsonl").write_text('{"id": "u1", "text": "other words"}\n')
    own = data_sha256(food, "warm")
    assert own != common
    (food / "text" / "user.jsonl").write_text("not read by this split")
    assert data_sha256(food, "warm") == own


def test_label_variants_are_described(food: Path) -> None:
    written = write_manifest(food, title="", source=[], licence="", command="", labels={"A": "guidance alone"})
    assert read_manifest(food).labels == written.labels == {"A": "guidance alone"}


def test_a_manifest_without_label_variants_does_not_name_them(food: Path) -> None:
    _write(food)
    assert "labels" not in json.loads((food / "manifest.json").read_text())


def test_data_hash_of_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set with a split 'warm' in this folder"):
        data_sha256(tmp_path, "warm")
