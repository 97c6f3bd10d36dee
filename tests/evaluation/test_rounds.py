"""Rounds on parts of the test patients."""
from __future__ import annotations

import numpy as np
import pytest

from recbole_medmoe.evaluation.ratios import ratio_columns
from recbole_medmoe.evaluation.rounds import round_table

VALUES = np.array([0, 1, 2, 3, 4, 5.0])
PATIENTS = np.array(["a", "a", "b", "c", "d", "e"])


def test_every_round_takes_the_share_of_the_patients_without_replacement(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(columns: dict[str, np.ndarray], inside: np.ndarray) -> dict[str, float]:
        seen.append(PATIENTS[inside].tolist())
        return {"f1": 0.0}

    monkeypatch.setattr("recbole_medmoe.evaluation.rounds.means", note)
    round_table({"f1": VALUES}, PATIENTS, rounds=5, share=.8, seed=0)
    assert [len(set(names)) for names in seen] == [4] * 5
    assert all(names.count("a") in (0, 2) for names in seen)   # a patient comes with all visits, once
    assert len({tuple(names) for names in seen}) > 1


def test_all_patients_in_each_round_give_the_mean_and_no_spread() -> None:
    assert round_table({"f1": VALUES}, PATIENTS, rounds=3, share=1.0, seed=0) == {"f1": (2.5, 0.0)}


def test_a_pooled_metric_is_a_ratio_in_each_round() -> None:
    columns = ratio_columns("ddirate", VALUES, VALUES * 4 + 1)
    mean, deviation = round_table(columns, PATIENTS, rounds=3, share=1.0, seed=0)["ddirate"]
    assert (mean, deviation) == (pytest.approx(15 / 66), 0)


def test_equal_seeds_draw_equal_patients() -> None:
    once, again = (round_table({"f1": VALUES}, PATIENTS, rounds=4, share=.5, seed=3) for _ in range(2))
    assert once == again != round_table({"f1": VALUES}, PATIENTS, rounds=4, share=.5, seed=4)
