"""Tables of medication sets: thresholds, rates without a list, rounds, patients behind the rows."""
from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recbole_medmoe.bench.evidence import Reader, write_evidence
from recbole_medmoe.bench.jobs import Cell
from recbole_medmoe.bench.reading import read_sections, section_of
from recbole_medmoe.bench.report import render_html, render_markdown
from recbole_medmoe.bench.results import Results
from recbole_medmoe.bench.sections import Section
from recbole_medmoe.bench.suite import Suite
from recbole_medmoe.bench.terminal import print_section
from recbole_medmoe.quick_start import run
from recbole_medmoe.quick_start.stored import StoredRun
from recbole_medmoe.store import read_record, write_record


@pytest.fixture(scope="module")
def folder(_tiny_visits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on visits, with rounds."""
    keys = {"bootstrap_draws": 50, "min_group": 1, "rounds": 3, "device": "cpu", "data_path": str(_tiny_visits.parent)}
    return run("VisitPop", _tiny_visits.name, overrides=keys, runs_dir=tmp_path_factory.mktemp("runs")).folder


@pytest.fixture
def section(folder: Path) -> Section:
    """Its section."""
    return section_of([StoredRun.read(folder)], ["VisitPop"], "VisitPop")


def _terminal(section: Section) -> str:
    out = StringIO()
    print_section(section, Console(file=out, width=200))
    return out.getvalue()


WAYS: dict[str, Callable[[Section], str]] = {
    "terminal": _terminal, "markdown": lambda section: render_markdown([section]),
    "page": lambda section: render_html([section])}


@pytest.mark.parametrize("way", WAYS)
def test_the_threshold_stands_in_the_table(section: Section, way: str) -> None:
    shown = f"{section.rows[0].thresholds[0]:.3f}".replace("-", "−")
    assert "Threshold" in WAYS[way](section) and shown in WAYS[way](section)


@pytest.mark.parametrize("way", WAYS)
def test_without_a_list_the_cells_of_ddi_rates_say_so(section: Section, way: str) -> None:
    row = replace(section.rows[0], metrics={name: cell for name, cell in section.rows[0].metrics.items()
                                            if "ddi" not in name})
    data = {**section.data, "statistics": {**section.data["statistics"], "ddi": "no list"}}
    bare = replace(section, rows=(row,), data=data, unknown=("ddirate", "trueddirate"))
    assert WAYS[way](bare).count("no list: pass --ddi") == 2
    assert "no list" not in WAYS[way](section)


def test_the_page_shows_what_other_thresholds_give_on_validation(section: Section, folder: Path) -> None:
    told = read_record(folder)["evaluation"]["threshold_curve"]
    assert "Threshold curves." in render_html([section]) and max(told["jaccard"]) <= told["chosen"][1] + 1e-12


@pytest.mark.parametrize("way", WAYS)
def test_rounds_have_a_table_of_their_own(section: Section, way: str) -> None:
    mean, deviation = section.rows[0].rounds["prauc"]
    assert f"{mean:.4f} ± {deviation:.4f}" in WAYS[way](section)
    assert " ± " not in WAYS[way](replace(section, rows=(replace(section.rows[0], rounds={}),)))


@pytest.mark.parametrize("way", WAYS)
def test_groups_count_patients(section: Section, way: str) -> None:
    told = WAYS[way](section)
    assert "Patients" in told and "Rows" not in told


def test_rates_have_intervals_and_no_best(section: Section) -> None:
    cell = section.rows[0].metrics["ddirate"]
    assert cell.low is not None and cell.low <= cell.value <= (cell.high or 0)


def test_how_it_was_measured_speaks_of_visits_and_patients(section: Section) -> None:
    told = " ".join(section.protocol)
    assert "66 visits of 30 patients" in told and "none is masked" in told and "a list of 3 pairs" in told
    assert "patients are drawn 50 times" in told and "the largest mean Jaccard" in told


def test_a_report_of_the_folder_is_the_same_section(folder: Path, section: Section) -> None:
    assert read_sections(folder)[0].rows == section.rows


def test_other_lists_of_interactions_stand_in_tables_of_their_own(folder: Path, tmp_path: Path) -> None:
    lists: dict[str, Any] = {"a": {"pairs": 3, "rate": .1, "sha256": "a" * 64}, "none": "no list"}
    shutil.copytree(folder, tmp_path / "VisitPop" / "own")
    for name, ddi in lists.items():
        shutil.copytree(folder, tmp_path / "VisitPop" / name)
        record = read_record(folder)
        record["data"]["statistics"]["ddi"] = ddi
        write_record(tmp_path / "VisitPop" / name, record)
    sections = read_sections(tmp_path)
    assert [len(section.rows) for section in sections] == [1, 1, 1]
    assert len({section.anchor for section in sections}) == 3
    assert all(any("other lists of interactions" in note for note in section.notes) for section in sections)


def test_evidence_keeps_patients_and_the_parts_of_rates(folder: Path, tmp_path: Path) -> None:
    suite = Suite(title="t", question="q", dataset="tinyvisits", seeds=[2020], splits=["patient"], name="visits",
                  metrics=["prauc", "ddirate"], rows={"VisitPop": {"model": "VisitPop"}}, figure="tables")
    cell = Cell("VisitPop", "patient", None, 1.0, "catalogue")
    write_evidence(tmp_path, [suite], {"visits": {cell: {2020: folder}}})
    kept, whole = Reader([suite])(next((tmp_path / "records").glob("*/*"))), StoredRun.read(folder)
    found: Any = section_of([kept], ["VisitPop"], "VisitPop").rows[0].metrics
    assert kept.clusters.tolist() == whole.clusters.tolist() and set(found) == {"prauc", "ddirate"}
    assert found["ddirate"].low is not None
    drawn = Results(suite, {cell: {2020: folder}}, lambda path: kept).values([cell], "prauc").patients
    assert len(np.unique(drawn)) < len(drawn)
