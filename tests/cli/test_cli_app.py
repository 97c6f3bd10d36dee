from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recbole_medmoe import __version__
from recbole_medmoe.cli import app, main, run
from recbole_medmoe.errors import DataError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", [
    [], ["run"], ["list"], ["encode"], ["report"], ["doctor"], ["prepare", "healthfood"]])
def test_every_help_shows_an_example_and_leaves_with_0(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    assert " ".join(["recbole-medmoe", *command]) in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"recbole_medmoe {__version__}\n"


def test_a_misspelt_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lst"]) == 2
    assert capsys.readouterr().err == "Error: no command 'lst'; did you mean 'list'?\n"


def test_a_line_that_starts_with_an_option_means_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(app, "app", lambda args, **rest: seen.append(args))
    assert main(["--model", "BPR"]) == 0
    assert seen == [["run", "--model", "BPR"]]


def test_no_arguments_mean_the_demonstration(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr("recbole_medmoe.cli.demo.demo", lambda: called.append(True))
    assert main([]) == 0
    assert called == [True]


def test_an_error_of_the_user_is_one_message_without_traceback(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise DataError("row 3: [bold] stays as it is")

    monkeypatch.setattr("recbole_medmoe.cli.demo.demo", fails)
    assert main([]) == 2
    assert capsys.readouterr().err == "Error: row 3: [bold] stays as it is\n"


def test_a_fault_of_ours_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("recbole_medmoe.cli.demo.demo", fails)
    with pytest.raises(ZeroDivisionError):
        main([])


def test_an_interrupt_leaves_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stops(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recbole_medmoe.cli.demo.demo", stops)
    assert main([]) == 130
    monkeypatch.setattr(run, "check_keys", stops)
    assert main(["--model", "BPR", "--dataset", "ml-100k"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_the_script_of_the_source_tree_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, ROOT / "run_recbole_medmoe.py", "lst"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "Error: no command 'lst'; did you mean 'list'?\n")
