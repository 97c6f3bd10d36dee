"""The examples in docs/ run as printed."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from recbole_medmoe import load
from recbole_medmoe.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-your-model.md"


@pytest.mark.parametrize("place, name, split", [(0, "nearest_text:NearestText", "cold_patient"),
                                                (1, "like_before:LikeBefore", "warm")])
def test_the_models_of_add_your_model_train_and_score(place: int, name: str, split: str, tiny_food: Path,
                                                      tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text(encoding="utf-8")
    codes, defaults = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("python", "yaml"))
    assert len(codes) == len(defaults) == 2
    file, model = name.split(":")
    (tmp_path / f"{file}.py").write_text(codes[place], encoding="utf-8")
    (tmp_path / f"{model}.yaml").write_text(defaults[place], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code_of_exit = main(["--model", name, "--dataset", tiny_food.name, "--runs-dir", "runs", "--split", split,
                         f"--data_path={tiny_food.parent}", "--epochs=2"])
    assert code_of_exit == 0
    record, = tmp_path.glob(f"runs/{tiny_food.name}/{model}/*/record.json")
    if split == "warm":   # what the page says of a user written by hand
        assert load(record.parent).score([{"history": ["banana", "fig"]}]).shape[0] == 1
