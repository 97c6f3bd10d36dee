from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.cli import main
from recbole_medmoe.prepare import VisitOptions


@pytest.mark.parametrize(("source", "words", "more"), [
    ("mimic3", ["--drugs-by", "ndc"], ("ndc",)), ("mimic4", ["--icu-only"], ("name", True)),
    ("eicu", ["--treatments", "all"], ("all",)), ("table", ["--mapping", "m.yaml"], ())])
def test_the_converter_gets_the_options_and_its_counts_are_printed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: str,
        words: list[str], more: tuple[Any, ...]) -> None:
    seen: list[Any] = []

    def convert(*given: Any) -> dict[str, str]:
        seen.extend(value for value in given if not callable(value))
        return {"orders read": "7"}

    monkeypatch.setattr(f"recbole_medmoe.prepare.prepare_{source}", convert)
    out = tmp_path / "own"
    options = ["--codes", "atc3", "--codes-dir", "maps", "--ddi", "list.csv", "--fluids", "--min-item-visits", "3",
               "--min-items", "2", "--memory", "1GB", "--min-visits", "2", "--top-medications", "300",
               "--top-diagnoses", "2000", "--need-procedures", "--split-by", "id"]
    assert main(["prepare", source, "raw", "--out", str(out), *options, *words]) == 0
    mapping = [Path("m.yaml")] if source == "table" else []
    wanted = VisitOptions("atc3", Path("maps"), Path("list.csv"), True, 3, 2, "1GB", 2, 300, 2000, True, "id", bar=True)
    assert seen == [Path("raw"), *mapping, out, wanted, *more]
    printed = capsys.readouterr().out
    assert ["orders", "read", "7"] in [line.split() for line in printed.splitlines()]
    assert f"recbole-medmoe --model VisitLR --dataset own --data_path={tmp_path}" in printed


@pytest.mark.parametrize(("source", "min_items"), [("eicu", 2), ("mimic3", 1)])
def test_each_source_has_its_own_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str,
                                          min_items: int) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(f"recbole_medmoe.prepare.prepare_{source}", lambda *given: seen.extend(given) or {})
    assert main(["prepare", source, "raw", "--out", str(tmp_path / "own")]) == 0
    assert VisitOptions(min_items=min_items, bar=True) in seen


def test_an_unknown_level_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "mimic3", str(tmp_path), "--out", str(tmp_path / "own"), "--codes", "atc9"]) == 2
    assert "--codes atc9: unknown" in capsys.readouterr().err
