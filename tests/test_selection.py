"""Test rows are scored once, after everything was chosen."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe import run
from recbole_medmoe.trainer.mixin import MedTrainerMixin


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(part that RecBole's sampler names, epochs trained until then), for each time rows were scored."""
    seen: list[tuple[str, int]] = []
    stock = MedTrainerMixin.evaluate_rows

    def spy(self: Any, eval_data: Any, *rest: Any, **named: Any) -> Any:
        seen.append((eval_data._sampler.phase, len(self.history)))
        return stock(self, eval_data, *rest, **named)

    monkeypatch.setattr(MedTrainerMixin, "evaluate_rows", spy)
    return seen


@pytest.mark.parametrize("model", ["MoEOnly", "BowRidge", "FM"])
def test_no_test_row_is_scored_before_training_ends(model: str, tiny_food: Path, tmp_path: Path,
                                                    scored: list[tuple[str, int]]) -> None:
    result = run(model, tiny_food.name, runs_dir=tmp_path,
                 overrides={"data_path": str(tiny_food.parent), "epochs": 3} if model != "BowRidge"
                 else {"data_path": str(tiny_food.parent)})
    parts = [part for part, _ in scored]
    assert parts[-1] == "test" and set(parts[:-1]) == {"valid"}
    assert scored[-1][1] == result.record["training"]["epochs"]
    assert result.record["evaluation"]["test_scored"] == 1
