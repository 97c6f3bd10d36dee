from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.cli import main
from recbole_medmoe.encoders import FeatureBank


def test_the_banks_that_the_model_asks_for_are_written(
        tiny_food: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "banks"
    words = ["encode", "tinyfood", "--with", "minilm-l6", "--out", str(out)]
    assert main([*words, f"--data_path={tiny_food.parent}"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "item.text.minilm-l6-mean.safetensors", "user.text.minilm-l6-mean.safetensors"]
    assert len(FeatureBank.load(out / "user.text.minilm-l6-mean.safetensors")) == 30
    assert "--text_encoder=minilm-l6" in capsys.readouterr().out


def test_a_backbone_that_the_model_does_not_ask_is_told(tiny_food: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", "tinyfood", "--with", "minilm-l6", "--for", "Pop", f"--data_path={tiny_food.parent}"]) == 2
    assert "unknown key 'text_encoder'" in capsys.readouterr().err


def test_a_misspelt_backbone_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", "tinyfood", "--with", "minilm-l5"]) == 2
    assert "did you mean 'minilm-l6'?" in capsys.readouterr().err
