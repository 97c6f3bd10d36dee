from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from recbole_medmoe.cli import main
from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import create_dataset


@pytest.fixture
def predicted(tiny_food: Path, tmp_path: Path) -> Path:
    """Scores of every item for every patient."""
    config = MedConfig("Pop", "tinyfood", split="warm", overrides={"data_path": str(tiny_food.parent)})
    dataset = create_dataset(config)
    users, items = dataset.user_tokens[1:], dataset.item_tokens[1:]
    table = pd.DataFrame([(user, item, (7 * row + 3 * place) % 11) for row, user in enumerate(users)
                          for place, item in enumerate(items)], columns=["row", "item", "score"])
    path = tmp_path / "scores.csv"
    table.to_csv(path, index=False)
    return path


def test_it_stands_in_the_same_table_and_is_marked(
        tiny_food: Path, predicted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--dataset", "tinyfood", "--split", "warm", f"--data_path={tiny_food.parent}", "--bootstrap_draws=50",
             "--runs-dir", str(tmp_path / "runs")]
    assert main(["bench", "import", "--model", "Outside", "--predictions", str(predicted), *place]) == 0
    assert "Outside" in capsys.readouterr().out
    assert main(["--model", "ConditionLookup", *place]) == 0
    page = tmp_path / "page.md"
    assert main(["report", str(tmp_path / "runs"), "--against", "ConditionLookup", "--md", str(page)]) == 0
    told = capsys.readouterr().out
    assert "Outside (imported)" in told and "predictions of an outside system (file" in told
    assert "Outside (imported)" in page.read_text() and "its cost are not known" in page.read_text()


def test_what_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "import", "--dataset", "healthfood"]) == 2
    told = capsys.readouterr().err
    assert "--model is missing" in told and "--predictions is missing" in told
