from __future__ import annotations

import pytest

from recbole_medmoe.cli import doctor, main


def test_a_whole_installation_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("1.2.1", "smollm2-135m", "device: auto", "healthfood", "All that a run"))


def test_a_missing_package_is_named_with_the_command(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    known = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "recbole" else known(package))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "pip install --no-deps recbole==1.2.1" in out and "Missing and needed by every run: recbole." in out


def test_pandas_3_is_told_to_be_wrong() -> None:
    assert "pandas<3" in doctor._remark("pandas", "3.1.1")
    assert doctor._remark("pandas", "2.3.3") == ""
