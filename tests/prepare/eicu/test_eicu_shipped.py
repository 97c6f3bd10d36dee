"""The data set eicu-demo as it ships."""
from __future__ import annotations

import csv
import re
import shutil

import pytest
import yaml

from recbole_medmoe.atomic import (PARTS, check_manifest, inter_path, read_atomic, read_manifest, read_texts,
                                   validate_folder)
from recbole_medmoe.paths import dataset_folder, dataset_splits, properties_dir
from recbole_medmoe.prepare.eicu.treatments import names_drug
from recbole_medmoe.prepare.visits.drugs import DrugMaps


@pytest.fixture(scope="module")
def folder():
    return dataset_folder("eicu-demo")


@pytest.fixture(scope="module")
def user(folder):
    return read_atomic(folder / "eicu-demo.user").set_index("visit_id")


def _csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_is_valid_also_without_the_manifest_vouching_for_it(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "eicu-demo", ignore=shutil.ignore_patterns("manifest.json", "features"))
    validate_folder(tmp_path / "eicu-demo", user="visit_id")


def test_every_file_is_as_it_was_made(folder):
    assert check_manifest(folder) == []


def test_splits(folder):
    manifest = read_manifest(folder)
    assert sorted(manifest.splits) == dataset_splits(folder) == ["fold0", "fold1", "fold2", "fold3", "fold4", "patient",
                                                                 "warm_visit"]
    assert manifest.default_split == "patient" and not manifest.derived_from_credentialed


def test_sizes(folder, user):
    assert len(user) == 1551 and user["patient_id"].nunique() == 1242 and (user["earlier"].map(len) > 0).sum() == 198
    assert len(read_atomic(folder / "eicu-demo.item")) == 155


@pytest.mark.parametrize("split", ["patient", "fold0", "fold3"])
def test_a_patient_is_in_one_part(folder, user, split):
    parts = [{user.at[visit, "patient_id"] for visit in read_atomic(inter_path(folder, split, part))["visit_id"]}
             for part in PARTS]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 1242


def test_the_folds_test_every_visit_once(folder, user):
    tested = [visit for fold in range(5)
              for visit in set(read_atomic(inter_path(folder, f"fold{fold}", "test"))["visit_id"])]
    assert sorted(tested) == sorted(user.index)


def test_every_visit_has_a_diagnosis_and_two_medications(folder, user):
    assert user["diag"].map(len).min() >= 1
    assert read_atomic(folder / "eicu-demo.inter").groupby("visit_id").size().min() >= 2


def test_no_treatment_names_a_drug(folder):
    maps = DrugMaps.read()
    codes = [row["code"].replace("_", " ").split("|") for row in _csv(folder / "codes.csv") if row["kind"] == "proc"]
    assert len(codes) > 500 and not [code for code in codes if names_drug(code, maps)]


def test_a_text_tells_no_medication_of_its_visit(folder):
    """No name of a medication is a word of the treatments; diagnoses may name one, as in an overdose."""
    names = {row["item_id"]: re.split(r", | and ", row["name"]) for _, row in
             read_atomic(folder / "eicu-demo.item").iterrows()}
    treated = {key: text.partition("Treatments: ")[2] for key, text in
               read_texts(folder / "text" / "user.jsonl").items()}
    words = {word for some in names.values() for word in some}
    told = {word for text in treated.values() for word in words if word in text}
    assert not told


def test_codes_have_words(folder, user):
    named = {(row["kind"], row["code"]) for row in _csv(folder / "codes.csv")}
    assert {(kind, code) for kind in ("diag", "proc") for codes in user[kind] for code in codes} == named


def test_interactions_are_of_own_items_and_say_their_licence(folder):
    items = set(read_atomic(folder / "eicu-demo.item")["item_id"])
    rows = _csv(folder / "ddi.csv")
    assert len(rows) > 200 and all({row["item_a"], row["item_b"]} <= items and row["severity"] == "Major"
                                   for row in rows)
    assert "CC BY-NC-SA 4.0" in (folder / "LICENSE-ddi.txt").read_text()
    assert "Open Database License" in (folder / "LICENSE-ODbL.txt").read_text()


def test_no_id_of_the_source_is_in_a_file(folder, user):
    assert user.index.str.fullmatch("v[0-9]{4}").all() and user["patient_id"].str.fullmatch("p[0-9]{4}").all()
    assert user["hospital"].str.fullmatch("h[0-9]{3}").all()


def test_the_settings_load_columns_that_are_there(user):
    settings = yaml.safe_load((properties_dir() / "dataset" / "eicu-demo.yaml").read_text())
    assert set(settings["load_col"]["user"]) <= {"visit_id", *user.columns}
    assert not {"hospital", "patient_id", "earlier", "visit_no"} & set(settings["load_col"]["user"])
