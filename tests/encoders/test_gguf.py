from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recbole_medmoe.encoders import EncoderSpec, encode_texts, gguf, resolve_backbone
from recbole_medmoe.encoders.backbones import Backbone


@pytest.fixture
def backbone(tmp_path: Path) -> Backbone:
    return Backbone("mine", "llm", tmp_path / "mine.gguf", "ab" * 32)


def test_a_folder_is_left_where_it_is(tiny_llama: Path, tmp_path: Path) -> None:
    assert gguf.converted_folder(resolve_backbone(str(tiny_llama)), tmp_path) == tiny_llama
    assert not list(tmp_path.iterdir())


def test_a_file_is_converted_once(backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def convert(file: Path, out: Path) -> None:
        calls.append(file)
        (out / "config.json").write_text("{}")

    monkeypatch.setattr(gguf, "_convert", convert)
    first, second = gguf.converted_folder(backbone, tmp_path), gguf.converted_folder(backbone, tmp_path)
    assert first == second == tmp_path / "backbones" / backbone.sha256
    assert len(calls) == 1 and (first / "config.json").is_file()


def test_a_conversion_that_breaks_off_leaves_nothing(backbone: Backbone, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(file: Path, out: Path) -> None:
        (out / "half").write_text("x")
        raise OSError("disk full")

    monkeypatch.setattr(gguf, "_convert", broken)
    with pytest.raises(OSError, match="disk full"):
        gguf.converted_folder(backbone, tmp_path)
    assert not list((tmp_path / "backbones").iterdir())


def test_another_process_that_was_first_is_kept(backbone: Backbone, tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "backbones" / backbone.sha256

    def slow(file: Path, out: Path) -> None:
        (out / "mine").write_text("x")
        place.mkdir()
        (place / "theirs").write_text("x")

    monkeypatch.setattr(gguf, "_convert", slow)
    assert [file.name for file in gguf.converted_folder(backbone, tmp_path).iterdir()] == ["theirs"]
    assert [file.name for file in (tmp_path / "backbones").iterdir()] == [backbone.sha256]


@pytest.mark.e2e
def test_the_packaged_language_model_reads_two_texts() -> None:
    spec = EncoderSpec("text", "smollm2-135m", "layers", "food_item", 128)
    vectors = encode_texts(spec, ["Banana. A ripe yellow fruit.", "Oat milk."], progress=False)
    assert vectors.shape == (2, 3 * 576) and np.isfinite(vectors).all()
    assert np.abs(vectors[0] - vectors[1]).max() > 0.1
