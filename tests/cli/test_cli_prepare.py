from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.cli import main


def test_the_converter_gets_the_folders_and_its_counts_are_printed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[object] = []

    def convert(*given: object) -> dict[str, int]:
        seen.extend(given[:4])
        return {"stays": 2520, "patients": 1639}

    monkeypatch.setattr("recbole_medmoe.prepare.prepare_healthfood", convert)
    assert main(["prepare", "healthfood", "a", "b", "c", "--out", str(tmp_path / "healthfood")]) == 0
    assert seen == [Path("a"), Path("b"), Path("c"), tmp_path / "healthfood"]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["stays", "2520"] in lines and ["patients", "1639"] in lines


def test_a_missing_source_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(tmp_path / name) for name in ("eicu", "grocery", "usda.zip")]
    assert main(["prepare", "healthfood", *words, "--out", str(tmp_path / "healthfood")]) == 2
    assert f"{tmp_path / 'grocery'}/items.json: no such file" in capsys.readouterr().err
    assert not (tmp_path / "healthfood").exists()
