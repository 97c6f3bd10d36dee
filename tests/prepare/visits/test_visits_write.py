"""The data set folder of visits."""
from __future__ import annotations

import json
import os
import random
from dataclasses import replace

import pandas as pd
import pytest
import yaml

from recbole_medmoe.atomic import (check_manifest, read_atomic, read_manifest, read_texts, validate_folder)
from recbole_medmoe.config.places import find_place
from recbole_medmoe.errors import DataError
from recbole_medmoe.paths import properties_dir
from recbole_medmoe.prepare.visits.write import check_out

DDI = pd.DataFrame({"item_a": ["M3", "M0", "M0", "M9", "M2"], "item_b": ["M0", "M3", "M6", "M0", "M2"],
                    "severity": "Major"})


def _bytes(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


def test_the_folder_is_valid_and_its_hashes_hold(tables, write, tmp_path):
    write(tables, ddi=DDI)
    validate_folder(tmp_path / "made", user="visit_id")
    (tmp_path / "made" / "manifest.json").rename(tmp_path / "manifest.json")
    validate_folder(tmp_path / "made", user="visit_id")   # also where no manifest vouches for the files
    (tmp_path / "manifest.json").rename(tmp_path / "made" / "manifest.json")
    assert check_manifest(tmp_path / "made") == []


def test_shuffled_rows_and_a_second_run_give_the_same_bytes(fill, visit_rows, write, tmp_path):
    write(fill(visit_rows), ddi=DDI)
    first = _bytes(tmp_path / "made")
    for name in visit_rows:
        random.Random(1).shuffle(visit_rows[name])
    write(fill(visit_rows), ddi=DDI.sample(frac=1, random_state=1))
    assert _bytes(tmp_path / "made") == first


def test_columns_of_the_atomic_files(tables, write, tmp_path):
    write(tables)
    assert read_atomic(tmp_path / "made" / "made.user").attrs["types"] == {
        "visit_id": "token", "patient_id": "token", "visit_no": "float", "earlier": "token_seq", "diag": "token_seq",
        "proc": "token_seq", "age": "float", "sex": "token"}
    assert read_atomic(tmp_path / "made" / "made.item").attrs["types"] == {"item_id": "token", "name": "token",
                                                                           "atc": "token"}
    assert read_atomic(tmp_path / "made" / "made.inter").attrs["types"] == {"visit_id": "token", "item_id": "token"}


def test_earlier_visits_are_of_the_same_patient_and_have_smaller_numbers(tables, write, tmp_path):
    write(tables)
    user = read_atomic(tmp_path / "made" / "made.user").set_index("visit_id")
    for _, row in user.iterrows():
        assert all(user.at[other, "patient_id"] == row["patient_id"] for other in row["earlier"])
        assert all(user.at[other, "visit_no"] < row["visit_no"] for other in row["earlier"])
    assert sum(map(len, user["earlier"])) == 30


def test_a_long_history_is_told_oldest_first(fill, visit_rows, write, tmp_path):
    visit_rows["visits"] = [(f"raw{v}", "long" if v < 12 else f"patient{v}", 11 - v if v < 12 else 0, 50.0, "female")
                            for v in range(60)]
    visit_rows["earlier"] = [(f"raw{v}", f"raw{w}") for v in range(12) for w in range(v + 1, 12)]
    write(fill(visit_rows))
    user = read_atomic(tmp_path / "made" / "made.user").set_index("visit_id")
    last = user.loc[user["earlier"].map(len).idxmax()]
    assert [user.at[other, "visit_no"] for other in last["earlier"]] == list(range(1, 12))


def test_no_raw_id_is_written(tables, write, tmp_path):
    write(tables)
    for name, content in _bytes(tmp_path / "made").items():
        assert b"raw1" not in content and b"patient1" not in content, name


def test_codes_are_sorted_and_hold_no_space(tables, write, tmp_path):
    write(tables)
    user = read_atomic(tmp_path / "made" / "made.user")
    assert set(map(tuple, user["diag"])) == {("organ", "organ|liver_pain", f"sign{number}") for number in range(5)}
    assert "diag,organ|liver_pain,liver pain\n" in (tmp_path / "made" / "codes.csv").read_text()


def test_no_sign_parts_a_code_or_a_word(fill, visit_rows, write, tmp_path):
    signs = ["\t", "\n", "\x00", "\x0b", "\x1c", "\x85", "\xa0", "\u2028", "\u3000", '"', ' "\r\n ']
    visit_rows["codes"] += [("raw3", "diag", f"a{sign}b") for sign in signs]
    visit_rows["visits"] = [(*row[:4], f"in{signs[place % len(signs)]}between")
                            for place, row in enumerate(visit_rows["visits"])]
    write(fill(visit_rows))
    user = read_atomic(tmp_path / "made" / "made.user")
    assert sorted({*user["diag"].explode()})[0] == "a_b" and set(user["sex"]) == {"in between"}
    assert len({*user["diag"].explode()}) == 8


def test_texts_tell_ends_of_paths_and_no_medication(tables, write, tmp_path):
    write(tables)
    texts = read_texts(tmp_path / "made" / "text" / "user.jsonl")
    assert set(texts.values()) == {"Diagnoses: liver pain; sign 0. Procedures: scan.",
                                   *(f"Diagnoses: liver pain; sign {number}." for number in range(5))}
    assert read_texts(tmp_path / "made" / "text" / "item.jsonl")["M2"] == "medicine 2"


def test_a_visit_without_codes_has_no_text_and_a_code_without_words_is_told_as_it_is(fill, visit_rows, write, tmp_path):
    visit_rows["codes"] = [row for row in visit_rows["codes"] if row[0] != "raw3"] + [("raw4", "proc", "0123")]
    write(fill(visit_rows))
    texts = read_texts(tmp_path / "made" / "text" / "user.jsonl")
    assert len(texts) == 59 and sum(text.endswith("Procedures: 0123.") for text in texts.values()) == 1


def test_interactions_are_pairs_of_own_items_each_once(tables, write, tmp_path):
    told = write(tables, ddi=DDI)
    assert (tmp_path / "made" / "ddi.csv").read_text() == "item_a,item_b,severity\nM0,M3,Major\nM0,M6,Major\n"
    sets = read_atomic(tmp_path / "made" / "made.inter").groupby("visit_id")["item_id"].agg(set)
    hits = sum((pair <= items) for items in sets for pair in ({"M0", "M3"}, {"M0", "M6"}))
    pairs = sum(len(items) * (len(items) - 1) // 2 for items in sets)
    assert told["true interaction rate (pooled over visits)"] == f"{hits / pairs:.4f}"


def test_without_a_list_of_interactions_that_is_told(tables, write, tmp_path):
    assert write(tables)["interactions"] == "no list: pass --ddi"
    assert not (tmp_path / "made" / "ddi.csv").exists()


def test_the_settings_load_no_ids_and_no_column_that_is_off(tables, write, tmp_path):
    tables.not_loaded = ("sex",)
    write(tables)
    settings = yaml.safe_load((tmp_path / "made" / "made.yaml").read_text())
    assert settings["load_col"]["user"] == ["visit_id", "diag", "proc", "age"] and settings["task"] == "medication"


def test_settings_that_ship_are_not_written_twice(tables, write, tmp_path):
    shipped = yaml.safe_load((properties_dir() / "dataset" / "eicu-demo.yaml").read_text())
    tables.profile = {name: "float" if name == "age" else "token" for name in shipped["load_col"]["user"][3:]}
    for name in [*tables.profile][2:]:
        tables.session.execute(f'ALTER TABLE visits ADD COLUMN "profile {name}" VARCHAR')
    write(tables, "eicu-demo")
    assert not (tmp_path / "eicu-demo" / "eicu-demo.yaml").exists()


def test_other_columns_under_a_name_that_ships_have_settings_of_their_own(tables, write, tmp_path):
    write(tables, "eicu-demo")
    place = find_place("eicu-demo", str(tmp_path), [])
    assert place.yaml == tmp_path / "eicu-demo" / "eicu-demo.yaml"
    assert yaml.safe_load(place.yaml.read_text())["load_col"]["user"] == ["visit_id", "diag", "proc", "age", "sex"]


@pytest.mark.parametrize(("number", "told"), [(1e300, "1e+300"), (-2e19, "-2e+19"), (3e9, "3000000000"), (0.5, "0.5")])
def test_numbers_of_any_size(fill, visit_rows, write, tmp_path, number, told):
    visit_rows["visits"] = [(*row[:3], number, row[4]) for row in visit_rows["visits"]]
    write(fill(visit_rows))
    assert f"\t{told}\tfemale\n" in (tmp_path / "made" / "made.user").read_text()


def test_without_a_visit_what_each_step_kept_is_told(tables, write):
    for told, kept in (("visits read", 60), ("visits with a diagnosis", 0), ("medications", 0)):
        tables.count(told, kept)
    tables.session.execute("DELETE FROM visits")
    with pytest.raises(DataError, match="kept: visits read: 60; visits with a diagnosis: 0. Do all"):
        write(tables)


def test_the_manifest_tells_splits_counts_and_licence(tables, write, tmp_path):
    tables.count("visits read", 60, 70)
    write(tables)
    manifest = read_manifest(tmp_path / "made")
    assert manifest.default_split == "patient" and set(manifest.splits) == {
        "patient", "fold0", "fold1", "fold2", "fold3", "fold4", "warm_visit"}
    assert (manifest.counts[0].filter, manifest.counts[0].kept, manifest.counts[0].dropped) == ("visits read", 60, 10)
    assert json.loads((tmp_path / "made" / "manifest.json").read_text())["derived_from_credentialed"] is False


@pytest.mark.parametrize(("is_open", "others"), [(True, True), (False, False)])
def test_credentialed_data_are_for_their_owner_alone(tables, write, about, tmp_path, is_open, others):
    write(tables, about=replace(about, is_open=is_open))
    assert bool((tmp_path / "made").stat().st_mode & 0o077) is others
    assert read_manifest(tmp_path / "made").derived_from_credentialed is not is_open


def test_a_fault_leaves_the_earlier_data_set_as_it_was(tables, write, tmp_path, monkeypatch):
    write(tables)
    before = _bytes(tmp_path / "made")

    def full(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr("recbole_medmoe.prepare.visits.write.write_manifest", full)
    tables.session.execute("DELETE FROM medications WHERE item_id = 'M1'")
    with pytest.raises(OSError, match="no space"):
        write(tables)
    assert _bytes(tmp_path / "made") == before
    assert [name for name in os.listdir(tmp_path) if not name.startswith(".prepare-")] == ["made"]


def test_features_already_there_are_kept(tables, write, tmp_path):
    write(tables)
    (tmp_path / "made" / "features").mkdir()
    (tmp_path / "made" / "features" / "bank").write_text("vectors")
    write(tables)
    assert (tmp_path / "made" / "features" / "bank").read_text() == "vectors"


def test_a_data_set_that_a_killed_run_left_aside_is_put_back(tables, write, tmp_path):
    write(tables)
    (tmp_path / "made").rename(tmp_path / ".made.before")
    check_out(tmp_path / "made")
    assert check_manifest(tmp_path / "made") == [] and not (tmp_path / ".made.before").exists()


def test_the_name_of_recboles_example_is_refused(tmp_path):
    with pytest.raises(DataError, match="RecBole reads its own data set under the name ml-100k"):
        check_out(tmp_path / "ml-100k")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("words")
    with pytest.raises(DataError, match="no data set called thesis"):
        check_out(tmp_path / "thesis")


def test_a_name_with_a_dot_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no dot"):
        check_out(tmp_path / "mimic.v4")
