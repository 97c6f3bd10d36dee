from __future__ import annotations

import gzip
import hashlib
import re
import shutil
from pathlib import Path

import pytest

from recbole_medmoe.atomic import (PARTS, AtomicError, check_manifest, inter_path, label_variants, read_atomic,
                                   read_manifest, read_texts, text_path, validate_folder)
from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare import prepare_healthfood


def prepare(raw, out: Path) -> dict:
    return prepare_healthfood(raw.eicu, raw.grocery, raw.usda, out, lambda line: None)


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_twice_gives_the_same_bytes_whatever_the_order_of_the_rows(made, tmp_path, write_raw):
    raw = write_raw(tmp_path, reverse=True)
    prepare(raw, tmp_path / "healthfood")
    assert content(tmp_path / "healthfood") == content(made)


def test_patients_without_a_core_condition_are_left_out(made):
    assert list(read_atomic(made / "healthfood.user")["user_id"]) == ["p0001", "p0002", "p0003", "p0004"]


def test_no_raw_id_is_in_any_file(made):
    for path in made.rglob("*"):
        if path.is_file() and path.suffix != ".jpg":
            assert not re.search(r"P-[A-E]\b", path.read_text(encoding="utf-8")), path.name


def test_user_columns(made):
    users = read_atomic(made / "healthfood.user")
    assert users.attrs["types"] == {"user_id": "token", "age": "float", "sex": "token", "bmi": "float",
                                    "conditions": "token_seq", "medicines": "token_seq"}
    assert set(users["sex"]) == {"male", "female", "unknown"} and users["age"].isna().sum() == 1


def test_every_patient_and_item_has_a_text(made):
    assert list(read_texts(made / "text" / "user.jsonl")) == list(read_atomic(made / "healthfood.user")["user_id"])
    assert list(read_texts(made / "text" / "item.jsonl")) == list(read_atomic(made / "healthfood.item")["item_id"])


def test_manifest_has_counts_in_order_and_right_hashes(made):
    manifest = read_manifest(made)
    assert [count.kept for count in manifest.counts][:4] == [6, 5, 4, 14]
    assert check_manifest(made) == [] and not manifest.derived_from_credentialed


def test_credentialed_data_are_marked_and_kept_to_their_owner(raw, tmp_path):
    (raw.eicu / "LICENSE.txt").unlink()
    prepare(raw, tmp_path / "healthfood")
    assert read_manifest(tmp_path / "healthfood").derived_from_credentialed
    assert (tmp_path / "healthfood").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "healthfood" / "LICENSE-ODbL.txt").exists()


def test_summary_names_every_filter(raw, tmp_path):
    summary = prepare(raw, tmp_path / "healthfood")
    assert summary["patients with at least one core condition"] == "4" and summary["pictures"] == "16"


def test_summary_has_a_line_for_each_group_of_label_variants(raw, tmp_path):
    lines = {name: value for name, value in prepare(raw, tmp_path / "healthfood").items() if name.startswith("labels")}
    assert list(lines) == [f"labels {group}: own positives kept" for group in ("A", "B", "D01 to D20")]
    assert re.fullmatch(r"[\d.]+%", list(lines.values())[0])
    assert re.fullmatch(r"[\d.]+% \([\d.]+% to [\d.]+%\)", list(lines.values())[2])


def test_label_variants_are_written_and_described(made):
    assert label_variants(made) == sorted(read_manifest(made).labels) and len(label_variants(made)) == 22
    for part in PARTS:
        own, other = (set(read_atomic(inter_path(made, "cold_patient", part, labels))["user_id"])
                      for labels in (None, "D01"))
        assert own == other


def test_every_patient_of_phrasing_has_a_text_of_its_own(made):
    texts, base = read_texts(text_path(made, "user", "phrasing")), read_texts(text_path(made, "user"))
    assert list(texts) == list(base) and not set(texts.values()) & set(base.values())


def test_the_folder_is_valid_also_without_the_manifest_vouching_for_it(made, tmp_path):
    shutil.copytree(made, tmp_path / "healthfood", ignore=shutil.ignore_patterns("manifest.json"))
    with pytest.raises(AtomicError) as caught:
        validate_folder(tmp_path / "healthfood")
    # so few patients leave parts of some splits without rows
    assert {fault.rule for fault in caught.value.faults} == {"empty split: the file has a header but no rows"}


def test_features_are_kept_when_the_data_set_is_made_again(raw, tmp_path):
    prepare(raw, tmp_path / "healthfood")
    (tmp_path / "healthfood" / "features").mkdir()
    (tmp_path / "healthfood" / "features" / "bank").write_text("x")
    prepare(raw, tmp_path / "healthfood")
    assert "features/bank" in read_manifest(tmp_path / "healthfood").files


def test_an_error_leaves_the_earlier_data_set_whole(raw, tmp_path):
    prepare(raw, tmp_path / "healthfood")
    before = content(tmp_path / "healthfood")
    (raw.grocery / "photos" / "train_00.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="not a picture"):
        prepare(raw, tmp_path / "healthfood")
    assert content(tmp_path / "healthfood") == before
    assert not list(tmp_path.glob(".healthfood*"))


def test_another_name_of_the_folder_is_refused(raw, tmp_path):
    with pytest.raises(DataError, match="the folder of this data set is called healthfood"):
        prepare(raw, tmp_path / "food")


def test_a_folder_with_other_things_is_refused(raw, tmp_path):
    (tmp_path / "healthfood").mkdir()
    (tmp_path / "healthfood" / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match="is no healthfood data set"):
        prepare(raw, tmp_path / "healthfood")


def test_patients_without_any_condition_are_an_error(raw, tmp_path):
    for name in ("patient", "diagnosis", "pastHistory", "medication", "admissiondrug"):
        path = raw.eicu / f"{name}.csv.gz"
        with gzip.open(path, "rt") as handle:
            header = handle.readline()
        with gzip.open(path, "wt") as handle:
            handle.write(header + ("1,Male,50,,,,P\n" if name == "patient" else ""))
    with pytest.raises(DataError, match="no patient has a condition"):
        prepare(raw, tmp_path / "healthfood")
