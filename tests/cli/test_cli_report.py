from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pandas
import pytest

from recbole_medmoe.cli import main


@pytest.fixture(scope="module")
def runs(_tiny_food: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on tinyfood."""
    folder = tmp_path_factory.mktemp("runs")
    code = main(["--model", "ConditionLookup,Pop", "--dataset", "tinyfood", f"--data_path={_tiny_food.parent}",
                 "--runs-dir", str(folder), "--bootstrap_draws=100", "--min_group=2"])
    assert code == 0
    return folder


def test_both_files_are_written_and_named(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, text = tmp_path / "new" / "a.html", tmp_path / "new" / "a.md"
    assert main(["report", str(runs), "--md", str(text), "--html", str(page)]) == 0
    assert f"written: {text}\nwritten: {page}\n" in capsys.readouterr().out
    assert "ConditionLookup" in page.read_text() and "| Pop |" in text.read_text()


def test_numbers_and_tables_for_a_paper_are_written(runs: Path, tmp_path: Path) -> None:
    numbers, tables = tmp_path / "n.csv", tmp_path / "t.tex"
    assert main(["report", str(runs), "--csv", str(numbers), "--tex", str(tables)]) == 0
    table = pandas.read_csv(numbers, float_precision="round_trip")
    for path in runs.rglob("record.json"):
        record = json.loads(path.read_text())
        lines = table[(table.model == record["model"]["name"]) & table.group.isna()]
        found = dict(zip(lines.metric, lines.value))
        assert found == pytest.approx(record["evaluation"]["metrics"], abs=1e-12)
    assert tables.read_text().count(r"\toprule") == tables.read_text().count(r"\label{tab:tinyfood-") >= 3


def test_every_row_of_the_page_links_to_its_records(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "deep" / "page.html"
    assert main(["report", str(runs), "--html", str(page)]) == 0
    links = [(page.parent / unquote(link)).resolve() for link in re.findall('href="([^"#]*)"', page.read_text())]
    assert sorted(links) == sorted(path.resolve() for path in runs.rglob("record.json"))


def test_the_same_runs_give_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        words = [word for kind in ("html", "md", "csv", "tex") for word in (f"--{kind}", f"{tmp_path / name}.{kind}")]
        assert main(["report", str(runs), *words]) == 0
    for kind in ("html", "md", "csv", "tex"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_the_reference_can_be_chosen(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(runs), "--against", "Pop"]) == 0
    assert "Against Pop" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "message"), [
    (["nowhere"], "no folder nowhere"), (["."], "no finished run (record.json) in .; run a model first")])
def test_a_folder_without_runs_is_told(
        words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_misspelt_reference_names_the_nearest(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(runs), "--against", "Popp"]) == 2
    assert "no run of model 'Popp'; did you mean 'Pop'?" in capsys.readouterr().err
