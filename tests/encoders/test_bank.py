from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recbole_medmoe.encoders import FeatureBank, content_hash
from recbole_medmoe.errors import FeatureBankError

TEXTS = {"a": "ripe banana", "b": "", "c": "oat milk"}
HASHES = {token: content_hash(text) for token, text in TEXTS.items()}
KEY = {"backbone_sha256": "0", "readout": "mean"}


def make(**change) -> FeatureBank:
    parts = dict(tokens=list(TEXTS), matrix=np.array([[1.0, 2.0], [0, 0], [3, 4.5]], dtype=np.float32),
                 present=np.array([True, False, True]), hashes=list(HASHES.values()), key=dict(KEY),
                 notes={"truncated": 0, "backbone": "tiny"})
    return FeatureBank(**(parts | change))


def test_a_saved_bank_comes_back_whole(tmp_path: Path) -> None:
    make().save(tmp_path / "new" / "bank.safetensors")
    back = FeatureBank.load(tmp_path / "new" / "bank.safetensors")
    assert (back.tokens, back.hashes, back.key, back.notes) == (list(TEXTS), list(HASHES.values()), KEY, make().notes)
    np.testing.assert_array_equal(back.matrix, make().matrix)
    np.testing.assert_array_equal(back.present, [True, False, True])


def test_storage_is_half_precision(tmp_path: Path) -> None:
    make().save(tmp_path / "bank.safetensors")
    assert FeatureBank.load(tmp_path / "bank.safetensors").matrix.dtype == np.float16


def test_values_beyond_half_precision_stay_float32(tmp_path: Path) -> None:
    make(matrix=np.array([[1e6, 0], [0, 0], [1, 1]], dtype=np.float32)).save(tmp_path / "bank.safetensors")
    assert FeatureBank.load(tmp_path / "bank.safetensors").matrix[0, 0] == np.float32(1e6)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    make().save(tmp_path / "1")
    make().save(tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_align_follows_the_asked_order_and_marks_what_is_absent() -> None:
    matrix, present = make().align(["c", "unknown", "b", "a"])
    np.testing.assert_array_equal(matrix, [[3, 4.5], [0, 0], [0, 0], [1, 2]])
    assert matrix.dtype == np.float32 and present.tolist() == [True, False, False, True]


@pytest.mark.parametrize("damage", ["truncated", "altered", "foreign", "missing"])
def test_a_damaged_file_names_itself_and_the_remedy(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "bank.safetensors"
    make().save(path)
    raw = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(raw[:-5])
    elif damage == "altered":
        path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    elif damage == "foreign":
        path.write_bytes(b"not a bank at all, but long enough to look at")
    else:
        path.unlink()
    with pytest.raises(FeatureBankError, match=r"bank\.safetensors.*--reencode=true"):
        FeatureBank.load(path)


def test_a_bank_of_the_same_encoder_and_content_passes() -> None:
    make().check(key=KEY, contents=HASHES)


def test_a_bank_may_hold_more_than_is_asked_for() -> None:
    make().check(key=KEY, contents={"c": HASHES["c"]})


def test_another_encoder_is_named() -> None:
    with pytest.raises(FeatureBankError, match=r"another encoder \(backbone 'tiny'; these differ: readout\)"):
        make().check(key=KEY | {"readout": "last"}, contents=HASHES)


@pytest.mark.parametrize("change", [{"a": content_hash("other")}, {"new": content_hash("x")}, {"a": ""}])
def test_other_content_is_counted_and_never_shown(change: dict) -> None:
    with pytest.raises(FeatureBankError, match="of other content: 1 of") as caught:
        make().check(key=KEY, contents=HASHES | change)
    assert "banana" not in str(caught.value)


@pytest.mark.parametrize("change", [
    {"tokens": ["a", "b"]}, {"tokens": ["a", "b", "a"]}, {"present": np.array([True])}, {"hashes": []},
    {"matrix": np.full((3, 2), np.nan)},
])
def test_parts_that_do_not_fit_are_refused(change: dict) -> None:
    with pytest.raises(FeatureBankError):
        make(**change)


def test_a_picture_is_hashed_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert content_hash(tmp_path / "x") == content_hash("abc")


def test_an_empty_text_has_no_hash() -> None:
    assert content_hash(" \n") == ""
