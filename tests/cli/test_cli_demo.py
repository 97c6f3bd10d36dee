from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.cli import demo, main


def test_the_demonstration_ends_in_tables_a_page_and_next_steps(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With its quickest models, on the packaged data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "COLD", ("ConditionLookup", "Pop"))
    monkeypatch.setattr(demo, "WARM", ("ConditionLookup", "EASE"))
    monkeypatch.setattr(demo, "verify_features", lambda: None)
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "healthfood · cold_patient" in out and "healthfood · warm" in out and "Next:" in out
    page = tmp_path / "runs" / "healthfood" / "demo.html"
    assert f"Page: {page}" in out
    assert "not clinical truth" in page.read_text() and "runs" == sorted(p.name for p in tmp_path.iterdir())[0]


def test_its_models_are_those_of_the_task() -> None:
    assert set(demo.COLD) >= {
        "MedMoE", "MoEOnly", "LLMOnly", "FeatureRidge", "BowRidge", "ConditionLookup", "Pop", "FM"}
    assert set(demo.WARM) >= {"EASE", "ItemKNN", "BPR", "LightGCN"}


@pytest.mark.e2e
def test_the_shipped_features_are_what_the_real_encoders_give(capsys: pytest.CaptureFixture[str]) -> None:
    demo.verify_features(rows=2)
    cosines = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()
               if line.startswith(("user.", "item."))]
    assert len(cosines) == 5 and min(cosines) > .99
