"""The examples in docs/ run as printed."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from recbole_medmoe.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-your-model.md"


def test_the_model_of_add_your_model_trains_and_scores(tiny_food: Path, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (defaults,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "nearest_text.py").write_text(code, encoding="utf-8")
    (tmp_path / "NearestText.yaml").write_text(defaults, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code_of_exit = main(["--model", "nearest_text:NearestText", "--dataset", tiny_food.name, "--runs-dir", "runs",
                         f"--data_path={tiny_food.parent}", "--epochs=2"])
    assert code_of_exit == 0
    assert len(list(tmp_path.glob(f"runs/{tiny_food.name}/NearestText/*/record.json"))) == 1
