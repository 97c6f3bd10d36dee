"""Each kind of broken file: the message names file, line, column, rule and a right line."""
from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest

from recbole_medmoe.atomic import AtomicError, Fault, refresh_manifest, validate_folder, write_atomic, write_manifest
from recbole_medmoe.errors import DataError

INTER = "food.warm.test.inter"
PAIR = "u1<TAB>i1"
# file, its new text (None: remove it; bytes: as they are), and what one line of the message says.
BROKEN = {
    "missing column": (
        INTER, "user_id:token\tthing:token\nu1\tkiwi\n",
        f"{INTER}, line 1, column 'item_id': missing column 'item_id'; "
        "right: user_id:token<TAB>item_id:token<TAB>thing:token"),
    "missing id column of items": (
        "food.item", "group:token\nfruit\n",
        "food.item, line 1, column 'item_id': missing column 'item_id'; "
        "right: item_id:token<TAB>group:token"),
    "wrong type": (
        "food.user", "user_id:token\tage:float\nu1\told\nu2\t44\n",
        "food.user, line 2, column 'age': wrong type: not a finite number, but the column is float; "
        "right: u1<TAB>1.5"),
    "infinite number": (
        "food.user", "user_id:token\tage:float\nu1\t1\nu2\tinf\n",
        "food.user, line 3, column 'age': wrong type: not a finite number"),
    "wrong type in a sequence": (
        "food.item", "item_id:token\tv:float_seq\napple\t1 2\nkiwi\t\nmilk\t1 x\n",
        "food.item, line 4, column 'v': wrong type: not a finite number, but the column is "
        "float_seq; right: i1<TAB>0.5 1.5"),
    "id column of another type": (
        INTER, "user_id:token\titem_id:float\nu1\t1\n",
        f"{INTER}, line 1, column 'item_id': wrong type: an id column is token, not float"),
    "bad separator in a row": (
        INTER, "user_id:token\titem_id:token\nu1\tkiwi\nu2,milk\n",
        f"{INTER}, line 3: bad separator: 1 cells where the header has 2, separated by tabs; "
        f"it looks separated by a comma; right: {PAIR}"),
    "too many cells": (
        INTER, "user_id:token\titem_id:token\nu1\tkiwi\t5\nu2\tmilk\n",
        f"{INTER}, line 2: bad separator: 3 cells where the header has 2, separated by tabs; right: {PAIR}"),
    "bad separator in the header": (
        INTER, "user_id:token,item_id:token\nu1,kiwi\n",
        f"{INTER}, line 1: bad separator: the header is separated by a comma, not by a tab; "
        "right: user_id:token<TAB>item_id:token"),
    "blank line": (
        INTER, "user_id:token\titem_id:token\nu1\tkiwi\n\nu2\tmilk\n",
        f"{INTER}, line 3: blank line; right: {PAIR}"),
    "header without types": (
        INTER, "user_id\titem_id\nu1\tkiwi\n",
        f"{INTER}, line 1: bad header: 'user_id' is not name:type; "
        "right: user_id:token<TAB>item_id:token"),
    "unknown type": (
        "food.user", "user_id:token\tage:int\nu1\t1\n",
        "food.user, line 1, column 'age': bad header: unknown type 'int'; "
        "types are token, token_seq, float, float_seq"),
    "column twice": (
        "food.item", "item_id:token\titem_id:token\na\tb\n",
        "food.item, line 1, column 'item_id': bad header: the column comes twice"),
    "no header": (INTER, "", f"{INTER}, line 1: bad header: the first line is empty"),
    "byte-order mark": (
        INTER, b"\xef\xbb\xbfuser_id:token\titem_id:token\nu1\tkiwi\n",
        f"{INTER}, line 1: begins with a byte-order mark; save it as plain UTF-8"),
    "other encoding": (
        "food.item", b"item_id:token\tgroup:token\napple\tfruit\nkiwi\tfr\xfct\nmilk\tdairy\n",
        "food.item, line 3: the line is not UTF-8"),
    "quotation mark": (
        "food.item", 'item_id:token\tgroup:token\napple\t"fruit\nkiwi\tb\nmilk\tc\n',
        "food.item, line 2, column 'group': a cell begins with a quotation mark"),
    "duplicate interaction": (
        "food.inter", "user_id:token\titem_id:token\nu1\tkiwi\nu2\tmilk\nu1\tkiwi\n",
        f"food.inter, line 4: duplicate row: the same as an earlier line; right: {PAIR}"),
    "duplicate user": (
        "food.user", "user_id:token\nu1\nu2\nu1\n",
        "food.user, line 4, column 'user_id': duplicate row: the id comes in an earlier line; right: u1"),
    "unknown item": (
        INTER, "user_id:token\titem_id:token\nu1\tkiwii\nu2\tmilk\n",
        f"{INTER}, line 2, column 'item_id': unknown id: no such item ('kiwii') in food.item; right: {PAIR}"),
    "unknown user": (
        INTER, "user_id:token\titem_id:token\nu1\tkiwi\nu9\tmilk\n",
        f"{INTER}, line 3, column 'user_id': unknown id: no such user in food.user; right: {PAIR}"),
    "id read as missing": (
        "food.item", "item_id:token\napple\nkiwi\nmilk\nNA\n",
        "food.item, line 5, column 'item_id': the id is empty or a word that is read as a missing value"),
    "empty split": (
        INTER, "user_id:token\titem_id:token\n",
        f"{INTER}: empty split: the file has a header but no rows; right: {PAIR}"),
    "missing part": (INTER, None, f"{INTER}: the file is missing: split 'warm' needs train, valid and test"),
    "parts of different columns": (
        INTER, "user_id:token\titem_id:token\tr:float\nu1\tkiwi\t1\nu2\tmilk\t1\n",
        f"{INTER}, line 1: bad header: it differs from that of food.warm.train.inter; "
        "right: user_id:token<TAB>item_id:token"),
    "leakage": (
        INTER, "user_id:token\titem_id:token\nu1\tkiwi\nu1\tapple\n",
        f"{INTER}, line 3: leakage: the same user and item are in food.warm.train.inter; right: {PAIR}"),
    "text without id": (
        "text/item.jsonl", '{"id": "apple", "text": "Red."}\n{"text": "Green."}\n',
        "text/item.jsonl, line 2, column 'id': text without id: the key 'id' is missing; right: {\"id\": "),
    "id without text": (
        "text/item.jsonl", '{"id": "apple"}\n',
        "text/item.jsonl, line 1, column 'text': text without text: the key 'text' is missing"),
    "not JSON": (
        "text/user.jsonl", '{"id": "u1", "text": "x"}\n{"id": "u2", \n',
        "text/user.jsonl, line 2: not JSON: each line is one JSON object; right: {\"id\": "),
    "id that is a number": (
        "text/item.jsonl", '{"id": 7, "text": "x"}\n',
        "text/item.jsonl, line 1, column 'id': wrong type: 'id' must be text in quotation marks"),
    "empty text": (
        "text/item.jsonl", '{"id": "apple", "text": " "}\n',
        "text/item.jsonl, line 1, column 'text': 'text' is empty; leave the line out where there is no text"),
    "text of an unknown item": (
        "text/item.jsonl", '{"id": "apple", "text": "x"}\n{"id": "pear", "text": "x"}\n',
        "text/item.jsonl, line 2, column 'id': unknown id: no such item in food.item"),
    "text twice": (
        "text/item.jsonl", '{"id": "apple", "text": "x"}\n{"id": "apple", "text": "y"}\n',
        "text/item.jsonl, line 2, column 'id': the id comes twice, first in line 1"),
    "header of images.csv": (
        "images.csv", "item,file,kind\n",
        "images.csv, line 1: bad header: it must be item_id,file,kind; "
        "right: i1,images/i1.jpg,catalogue"),
    "cells of images.csv": (
        "images.csv", "item_id,file,kind\napple;images/apple.png;photo\n",
        "images.csv, line 2: bad separator: 1 cells where there must be 3, separated by commas"),
    "kind of picture": (
        "images.csv", "item_id,file,kind\napple,images/apple.png,drawing\n",
        "images.csv, line 2, column 'kind': unknown kind; kinds are catalogue, photo"),
    "picture file missing": (
        "images.csv", "item_id,file,kind\napple,images/none.png,photo\n",
        "images.csv, line 2, column 'file': no such file 'images/none.png' in the data set folder"),
    "picture outside": (
        "images.csv", "item_id,file,kind\napple,../x.png,photo\n",
        "images.csv, line 2, column 'file': the file lies outside the data set folder"),
    "picture that is none": (
        "images/kiwi.png", "hello", "images.csv, line 3, column 'file': 'images/kiwi.png' is not a "
        "picture, or a truncated one; right: i1,images/i1.jpg,catalogue"),
    "picture of an unknown item": (
        "images.csv", "item_id,file,kind\npear,images/apple.png,photo\n",
        "images.csv, line 2, column 'item_id': unknown id: no item 'pear' in food.item"),
    "second catalogue picture": (
        "images.csv", "item_id,file,kind\napple,images/apple.png,catalogue\n"
        "apple,images/shop.png,catalogue\n", "images.csv, line 3, column 'item_id': a second "
        "catalogue picture of the item, first in line 2"),
    "candidate that is no item": (
        "food.warm.candidates.csv", "phase,item_id\ntest,kiwi\ntest,milk\ntest,pear\n",
        "food.warm.candidates.csv, line 4, column 'item_id': unknown id: no item 'pear' in "
        "food.item; right: test,i1"),
    "candidate of an unknown phase": (
        "food.warm.candidates.csv", "phase,item_id\ntrain,kiwi\n",
        "food.warm.candidates.csv, line 2, column 'phase': unknown phase; "
        "phases are valid, test"),
    "candidate twice": (
        "food.warm.candidates.csv", "phase,item_id\ntest,kiwi\ntest,kiwi\ntest,milk\n",
        "food.warm.candidates.csv, line 3: duplicate row, first in line 2"),
    "truth that is no candidate": (
        "food.warm.candidates.csv", "phase,item_id\ntest,kiwi\n",
        "food.warm.candidates.csv, column 'item_id': items of test rows are no candidates of "
        "test, so they could never be found: milk; right: test,milk"),
    "candidates without rows": (
        "food.warm.candidates.csv", "phase,item_id\n",
        "food.warm.candidates.csv: no rows; remove the file where the whole catalogue is ranked"),
}


def _spoil(folder: Path, name: str, text: str | bytes | None) -> None:
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def _faults(folder: Path) -> list[Fault]:
    with pytest.raises(AtomicError) as caught:
        validate_folder(folder)
    return caught.value.faults


def _manifest(folder: Path) -> None:
    write_manifest(folder, title="Food", source=["by hand"], licence="MIT", command="test", splits={"warm": "w"})


def test_a_right_folder_passes(food: Path) -> None:
    validate_folder(food)


@pytest.mark.parametrize("kind", BROKEN)
def test_message_of_a_broken_file(food: Path, kind: str) -> None:
    name, text, told = BROKEN[kind]
    _spoil(food, name, text)
    with pytest.raises(DataError) as caught:
        validate_folder(food)
    assert f"  - {told}" in str(caught.value)


def test_a_single_fault_stands_alone(food: Path) -> None:
    _spoil(food, *BROKEN["unknown item"][:2])
    (food / "food.warm.candidates.csv").unlink()
    assert len(_faults(food)) == 1


def test_windows_line_ends_are_right(food: Path) -> None:
    path = food / "food.inter"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    validate_folder(food)


def test_faults_of_several_files_come_at_once(food: Path) -> None:
    for kind in ("wrong type", "not JSON", "leakage", "picture that is none"):
        _spoil(food, *BROKEN[kind][:2])
    assert {fault.file for fault in _faults(food)} >= {"food.user", "text/user.jsonl", INTER, "images.csv"}


def test_lines_with_the_same_fault_are_one_fault(food: Path) -> None:
    rows = "".join(f"u1\tpear{number}\n" for number in range(9))
    _spoil(food, "food.inter", "user_id:token\titem_id:token\n" + rows)
    assert str(_faults(food)[0]) == (
        "food.inter, line 2, column 'item_id': unknown id: no such item ('pear0') in food.item "
        "(also lines 3, 4 and 6 more); right: u1<TAB>i1")


def test_message_holds_twenty_faults(food: Path) -> None:
    _spoil(food, "text/item.jsonl", "x\n" * 25)
    with pytest.raises(AtomicError) as caught:
        validate_folder(food)
    assert len(caught.value.faults) == 25
    assert str(caught.value).count("\n  - ") == 20 and str(caught.value).endswith("... and 5 more")


def test_message_shows_no_patient(food: Path) -> None:
    _spoil(food, "food.user", "user_id:token\tage:float\nsecret1\tsecret2\n")
    _spoil(food, "text/user.jsonl", '{"id": "secret3", "text": "secret4"}\n{"id": "secret5", secret6\n')
    with pytest.raises(AtomicError) as caught:
        validate_folder(food)
    assert "secret" not in str(caught.value)


def test_unknown_split_gets_the_nearest(food: Path) -> None:
    with pytest.raises(DataError, match="no split 'warn'; did you mean 'warm'?"):
        validate_folder(food, splits=["warn"])


def test_only_the_named_split_is_read(food: Path) -> None:
    (food / "food.cold.train.inter").write_text("user_id:token\titem_id:token\n", encoding="utf-8")
    validate_folder(food, splits=["warm"])


def test_folder_without_interactions(tmp_path: Path) -> None:
    (tmp_path / "food.user").write_text("user_id:token\nu1\n", encoding="utf-8")
    (tmp_path / "food.user").rename(tmp_path / f"{tmp_path.name}.user")
    assert "the file is missing, and so is every pre-split triple" in str(_faults(tmp_path)[0])


def test_other_id_columns(tmp_path: Path) -> None:
    folder = tmp_path / "visits"
    folder.mkdir()
    (folder / "visits.inter").write_text("visit_id:token\tcode:token\nv1\tA01\n", encoding="utf-8")
    validate_folder(folder, user="visit_id", item="code")


def test_manifest_hash_mismatch_names_file_and_remedy(food: Path) -> None:
    _manifest(food)
    (food / "food.item").write_text("item_id:token\napple\nkiwi\nmilk\npear\n", encoding="utf-8")
    told = str(_faults(food)[0])
    assert told.startswith("food.item: manifest hash mismatch: the file is not the one that manifest.json was made for")
    assert "refresh_manifest" in told
    refresh_manifest(food)
    validate_folder(food)


def test_file_of_the_manifest_that_is_gone(food: Path) -> None:
    _manifest(food)
    (food / "images" / "kiwi.png").unlink()
    assert "images/kiwi.png: the file is missing, though manifest.json lists it" in str(_faults(food)[0])


def test_file_with_the_hash_of_the_manifest_is_not_read_again(food: Path) -> None:
    _spoil(food, *BROKEN["picture that is none"][:2])
    _manifest(food)
    validate_folder(food)


def test_eighty_thousand_rows_take_under_three_seconds(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    rows = range(80_000)
    types = {"user_id": "token", "item_id": "token", "rating": "float"}
    frame = pd.DataFrame({"user_id": [f"u{row // 80}" for row in rows], "item_id": [f"i{row % 1009}" for row in rows],
                          "rating": [row % 5 for row in rows]})
    write_atomic(frame, types, folder / "large.inter")
    begun = time.process_time()
    validate_folder(folder)
    # Processor seconds: other work on the machine must not fail it.
    assert time.process_time() - begun < 3
