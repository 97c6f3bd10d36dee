from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.bench.suite import load_suites
from recbole_medmoe.cli import demo, main


def test_the_demonstration_ends_in_tables_a_page_and_next_steps(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With its quickest models, on the packaged data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(
        "title: t\nquestion: q?\ndataset: healthfood\nseeds: [0]\nsplits: [cold_patient, warm]\nmetrics: [map@5]\n"
        "rows: {ConditionLookup: {}, Pop: {splits: [cold_patient]}, EASE: {splits: [warm]}}\n"
        "reference: ConditionLookup\nfigure: tables\n")
    monkeypatch.setattr(demo, "SUITE", "small.yaml")
    monkeypatch.setattr(demo, "verify_features", lambda: None)
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "healthfood · cold_patient" in out and "healthfood · warm" in out and "Next:" in out
    page = tmp_path / "runs" / "healthfood" / "demo.html"
    assert f"Page: {page}" in out
    assert "not clinical truth" in page.read_text() and "runs" in [p.name for p in tmp_path.iterdir()]


def test_its_models_are_those_of_the_task() -> None:
    (suite,), faults = load_suites(demo.SUITE)
    assert not faults and suite.dataset == demo.DATASET
    cold, warm = ({name for name, row in suite.rows.items() if split in (row.splits or suite.splits)}
                  for split in ("cold_patient", "warm"))
    assert cold >= {"MedMoE", "MoEOnly", "LLMOnly", "FeatureRidge", "BowRidge", "ConditionLookup", "Pop", "FM"}
    assert warm >= {"EASE", "ItemKNN", "BPR", "LightGCN"}


@pytest.mark.e2e
def test_the_shipped_features_are_what_the_real_encoders_give(capsys: pytest.CaptureFixture[str]) -> None:
    demo.verify_features(rows=2)
    cosines = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()
               if line.startswith(("user.", "item."))]
    assert len(cosines) == 5 and min(cosines) > .99
