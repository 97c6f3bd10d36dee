from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from recbole_medmoe.encoders import EncoderSpec, FeatureBank, bank_name, encode_texts, obtain, obtain_bank, verify_bank
from recbole_medmoe.errors import FeatureBankError

TEXTS = {"u1": "likes bananas", "u2": "", "u3": "on warfarin, no kale"}
TEXTS |= {f"v{age}": f"aged {age}" for age in range(40, 50)}


@pytest.fixture
def spec(tiny_llama: Path) -> EncoderSpec:
    return EncoderSpec("text", str(tiny_llama), "layers")


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch):
    def apply() -> None:
        monkeypatch.setattr(obtain, "_encode", lambda *anything: pytest.fail("encoded although a bank was there"))
    return apply


def ship(folder: Path, spec: EncoderSpec, contents: dict) -> Path:
    """A folder with one shipped bank."""
    bank = obtain_bank("user", spec, contents, shipped=None, cache=folder / "cache")
    bank.save(folder / "features" / f"{bank_name('user', spec)}.safetensors")
    return folder / "features"


def test_features_are_those_of_the_encoder(spec: EncoderSpec, tmp_path: Path) -> None:
    matrix, present = obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path).align(["u3", "u1"])
    np.testing.assert_allclose(matrix, encode_texts(spec, [TEXTS["u3"], TEXTS["u1"]]), atol=2e-3)
    assert present.all()


def test_an_empty_text_is_absent(spec: EncoderSpec, tmp_path: Path) -> None:
    assert obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path).align(["u2"])[1].tolist() == [False]


def test_the_second_time_comes_from_the_cache_with_the_same_numbers(spec: EncoderSpec, tmp_path: Path, forbid) -> None:
    first = obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path)
    forbid()
    second = obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path)
    np.testing.assert_array_equal(first.matrix, second.matrix)


def test_the_cache_keeps_other_content_and_other_encoders_apart(spec: EncoderSpec, tiny_llama: Path,
                                                                tmp_path: Path) -> None:
    obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path)
    obtain_bank("user", spec, TEXTS | {"u1": "other"}, shipped=None, cache=tmp_path)
    shorter = EncoderSpec("text", str(tiny_llama), "layers", max_tokens=5)
    obtain_bank("user", shorter, TEXTS, shipped=None, cache=tmp_path)
    assert len(list((tmp_path / "features").iterdir())) == 3


def test_the_cache_is_for_its_owner(spec: EncoderSpec, tmp_path: Path) -> None:
    obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path / "cache")
    assert stat.S_IMODE((tmp_path / "cache" / "features").stat().st_mode) == 0o700


def test_a_shipped_bank_comes_first(spec: EncoderSpec, tmp_path: Path, forbid) -> None:
    shipped = ship(tmp_path, spec, TEXTS)
    forbid()
    bank = obtain_bank("user", spec, TEXTS, shipped=shipped, cache=tmp_path / "empty")
    assert bank.tokens == list(TEXTS) and not (tmp_path / "empty").exists()


def test_a_shipped_bank_of_other_content_is_refused(spec: EncoderSpec, tmp_path: Path) -> None:
    shipped = ship(tmp_path, spec, TEXTS)
    with pytest.raises(FeatureBankError, match="other content: 1 of 13.*--reencode=true"):
        obtain_bank("user", spec, TEXTS | {"u1": "changed"}, shipped=shipped, cache=tmp_path / "cache")


def test_a_shipped_bank_of_another_encoder_is_refused(spec: EncoderSpec, tiny_llama: Path, tmp_path: Path) -> None:
    shipped = ship(tmp_path, spec, TEXTS)
    shorter = EncoderSpec("text", str(tiny_llama), "layers", max_tokens=9)
    with pytest.raises(FeatureBankError, match="another encoder.*max_tokens.*--reencode=true"):
        obtain_bank("user", shorter, TEXTS, shipped=shipped, cache=tmp_path / "cache")


def test_reencode_passes_over_a_wrong_shipped_bank(spec: EncoderSpec, tmp_path: Path) -> None:
    shipped = ship(tmp_path, spec, TEXTS)
    changed = TEXTS | {"u1": "changed"}
    bank = obtain_bank("user", spec, changed, shipped=shipped, cache=tmp_path / "cache", reencode=True)
    np.testing.assert_allclose(bank.align(["u1"])[0], encode_texts(spec, ["changed"]), atol=2e-3)


def test_cut_texts_and_marks_are_noted(tiny_llama: Path, tmp_path: Path) -> None:
    short = EncoderSpec("text", str(tiny_llama), "mean", max_tokens=10)
    bank = obtain_bank("user", short, TEXTS, shipped=None, cache=tmp_path, notes={"derived_from_credentialed": True})
    assert bank.notes["truncated"] == 2 and bank.notes["derived_from_credentialed"] is True


def test_nothing_to_encode_is_refused(spec: EncoderSpec, tmp_path: Path) -> None:
    with pytest.raises(FeatureBankError, match="none of 1 users or items has a text"):
        obtain_bank("user", spec, {"u": " "}, shipped=None, cache=tmp_path)


def test_a_true_bank_is_verified(spec: EncoderSpec, tmp_path: Path) -> None:
    bank = obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path)
    told = verify_bank(bank, spec, TEXTS, rows=5)
    assert told["rows"] == 5 and told["min_cosine"] > 0.999 and told["max_abs"] < 2e-3


def test_a_small_bank_is_verified_whole(spec: EncoderSpec, tmp_path: Path) -> None:
    two = {"u1": TEXTS["u1"], "u3": TEXTS["u3"]}
    assert verify_bank(obtain_bank("user", spec, two, shipped=None, cache=tmp_path), spec, two)["rows"] == 2


def test_rows_of_other_texts_are_found_even_beside_a_huge_common_direction(spec: EncoderSpec, tmp_path: Path,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    bank = obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path)
    encode = obtain._encode

    def shifted(*anything):
        vectors, told = encode(*anything)
        return vectors + np.eye(1, vectors.shape[1], dtype=np.float32) * 1000, told

    monkeypatch.setattr(obtain, "_encode", shifted)
    swapped = bank.matrix[::-1].astype(np.float32) + np.eye(1, bank.width, dtype=np.float32) * 1000
    wrong = FeatureBank(bank.tokens, swapped, bank.present[::-1] & bank.present, bank.hashes, bank.key)
    with pytest.raises(FeatureBankError, match="rows encoded anew .* differ"):
        verify_bank(wrong, spec, TEXTS)


def test_a_bank_of_strangers_is_not_verified(spec: EncoderSpec, tmp_path: Path) -> None:
    bank = obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path)
    with pytest.raises(FeatureBankError, match="no row to encode anew"):
        verify_bank(bank, spec, {"stranger": "x"})


def test_another_width_is_refused(spec: EncoderSpec, tiny_llama: Path, tmp_path: Path) -> None:
    bank = obtain_bank("user", spec, TEXTS, shipped=None, cache=tmp_path)
    with pytest.raises(FeatureBankError, match="width 48.*gives 16"):
        verify_bank(bank, EncoderSpec("text", str(tiny_llama), "mean"), TEXTS)


@pytest.mark.e2e
def test_a_bank_of_pictures_is_written_and_verified(pictures: list[Path], tmp_path: Path) -> None:
    spec = EncoderSpec("image", "efficientnet-lite0", "pool")
    contents = {path.stem: path for path in pictures}
    bank = obtain_bank("item", spec, contents, shipped=None, cache=tmp_path)
    assert bank.width == 1280 and verify_bank(bank, spec, contents)["rows"] == 3
