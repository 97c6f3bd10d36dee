"""check_recommender: what it takes, what it says, what it leaves."""
from __future__ import annotations

import re
import tempfile
from bdb import BdbQuit
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

import recbole_medmoe
from recbole_medmoe.checks.case import Case
from recbole_medmoe.checks.checking import CHECKS, check_recommender, failure_message, run_check
from recbole_medmoe.checks.report import CheckLine, CheckReport
from recbole_medmoe.errors import CheckError, ConfigError

ROOT = Path(__file__).resolve().parents[2]
NAMES = [check.name for check in CHECKS]
QUICK = "dropout_is_all_that_training_adds"


def _models(module: str) -> dict[str, Any]:
    return {name: kind for name, kind in vars(__import__(module)).items() if hasattr(kind, "breaks")}


def test_it_is_a_public_name() -> None:
    assert recbole_medmoe.check_recommender is check_recommender


def test_a_sound_model_passes_every_check_and_leaves_nothing(
        broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cwd", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    told: list[CheckLine] = []
    report = check_recommender(f"{broken}:Toy", told=told.append)
    assert [line.check for line in report.lines] == NAMES and list(report.lines) == told
    assert report.count("passed") == len(CHECKS) - 1 and report.seconds > 0   # no visits, so no leak between them
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_sound_visit_model_passes_every_check(broken: str) -> None:
    assert check_recommender(f"{broken}:ToyVisits").count("passed") == len(CHECKS)


def test_every_check_has_a_model_that_breaks_it(broken: str) -> None:
    assert {kind.breaks for kind in _models(broken).values() if kind.breaks} == set(NAMES)


def test_a_class_stands_for_its_name(broken: str) -> None:
    assert check_recommender(_models(broken)["Toy"], only=QUICK).model == f"{broken}:Toy"


def test_a_class_of_the_table_goes_by_its_name() -> None:
    from recbole_medmoe.model.baselines.pop import Pop

    assert check_recommender(Pop, only=QUICK).model == "Pop"


def test_a_class_that_no_other_process_can_import_is_refused(broken: str) -> None:
    class Hidden(_models(broken)["Toy"]):   # type: ignore[misc]
        pass

    with pytest.raises(ConfigError, match="Hidden.*put it into a file of its own, with its YAML beside it"):
        check_recommender(Hidden)


def test_a_check_of_another_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no check 'gradient'; did you mean 'gradients'"):
        check_recommender("Pop", only=["gradient"])


def test_several_checks_run_in_the_order_of_the_table() -> None:
    report = check_recommender("Pop", only=[QUICK, "gradients"])
    assert [line.check for line in report.lines] == ["gradients", QUICK]


def test_a_model_that_needs_a_knowledge_graph_is_refused() -> None:
    with pytest.raises(ConfigError, match="CKE: needs a knowledge graph"):
        check_recommender("CKE")


def test_a_model_of_lists_need_not_name_what_it_is_given() -> None:
    (line,) = check_recommender("SASRec", only="overfits_eight_rows").lines
    assert line.outcome == "not applicable" and "learns to name others" in line.tells


def test_overrides_reach_every_run() -> None:
    report = check_recommender("MedMoE", only="builds_from_yaml", overrides={"fusion": "fixed"})
    assert report.lines[0].tells == "26 keys, all read"


def test_a_reason_that_a_model_declares_is_shown() -> None:
    (line,) = check_recommender("Pop", only="overfits_eight_rows").lines
    assert (line.outcome, line.tells) == ("not applicable", "declared by the model: one list for everyone")


def test_a_declaration_for_a_check_that_is_not_there_is_refused(
        broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = _models(broken)["Toy"]
    monkeypatch.setattr(toy, "checks_not_applicable", {"overfits_eight_row": "no"}, raising=False)
    with pytest.raises(ConfigError, match="Toy.checks_not_applicable: no check 'overfits_eight_row'; did you mean"):
        run_check(Case(toy, tmp_path), CHECKS[0])


def test_what_a_model_raises_is_told_with_its_place(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = _models(broken)["Toy"]

    def forward(*_: Any) -> None:
        raise ZeroDivisionError("no patient")

    monkeypatch.setattr(toy, "forward", forward)
    with pytest.raises(CheckError, match=r"Toy, gradients: ZeroDivisionError: no patient \(test_checking.py:\d+\)"):
        check_recommender(toy, only="gradients")


class Elsewhere(Exception):
    """An error of a library's own."""


@pytest.mark.parametrize("kind", [NameError, StopIteration, Exception, Elsewhere, SafetensorError, UserWarning])
def test_an_error_of_whatever_library_fails_the_check_and_the_others_go_on(
        broken: str, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]) -> None:
    toy = _models(broken)["Toy"]

    def forward(*_: Any) -> None:
        raise kind("gone")

    monkeypatch.setattr(toy, "forward", forward)
    with pytest.raises(CheckError) as caught:
        check_recommender(toy, only=["gradients", QUICK, "no_medication_leak"])
    lines = caught.value.report.lines
    assert [line.outcome for line in lines] == ["failed", "failed", "not applicable"]
    assert all(line.tells.startswith(f"{kind.__name__}: gone (test_checking.py:") for line in lines[:2])


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, BdbQuit])
def test_what_stops_the_program_ends_the_checks(
        broken: str, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]) -> None:
    toy = _models(broken)["Toy"]

    def forward(*_: Any) -> None:
        raise stop

    monkeypatch.setattr(toy, "forward", forward)
    with pytest.raises(stop):
        check_recommender(toy, only="gradients")


def test_failures_are_all_named_and_one_reason_is_said_once() -> None:
    lines = [CheckLine("a", "failed", "x", 1.), CheckLine("b", "passed", "", 1.), CheckLine("c", "failed", "x", 1.),
             CheckLine("d", "failed", "y", 1.)]
    assert failure_message(CheckReport("M", tuple(lines))).splitlines() == [
        "M: 3 of 4 checks failed", "  - M, a, c: x", "  - M, d: y"]


def test_the_page_of_checks_lists_them_all() -> None:
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.MULTILINE)
    assert rows == [(check.name, check.tells) for check in CHECKS]


def test_the_output_in_the_authoring_guide_has_every_check() -> None:
    page = (ROOT / "docs" / "add-your-model.md").read_text(encoding="utf-8")
    assert re.findall(r"^(\w+) +(?:passed|not applicable) ", page, re.MULTILINE) == NAMES
