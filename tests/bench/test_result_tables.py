"""The same rows as CSV, LaTeX, Markdown and on the page."""
from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from recbole_medmoe.bench.latex import escaped, render_latex
from recbole_medmoe.bench.report import render_html, render_markdown, write_report
from recbole_medmoe.bench.sections import Difference, Estimate, Section
from recbole_medmoe.bench.tables import section_tables
from recbole_medmoe.bench.tidy import COLUMNS, render_csv

GOLDEN = r"""
\begin{table}
\centering
\caption{health\_food $\cdot$ cold\_patient: Results. Mean over test rows with its 95\,\% interval. $\Delta$: difference from A \& B, paired by row; p is adjusted by Holm. Bold: the highest value.}
\label{tab:health-food-cold-patient-01234567-results-1}
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
\begin{tabular}{lrrr}
\toprule
Model & MAP@5 & $\Delta$ MAP@5 & p (Holm) \\
\midrule
A \& B & \textbf{0.402} {\scriptsize [0.372--0.432]} & reference & -- \\
{[}C{]} 50\,\% & 0.361 {\scriptsize [0.331--0.391]} & $-$0.041 {\scriptsize [$-$0.062 to $-$0.020]} & $<$0.001 \\
\bottomrule
\end{tabular}}
\end{table}
"""  # noqa: E501


@pytest.fixture
def small(section: Section) -> Section:
    """Two rows with awkward names and one metric."""
    first, third = section.rows[0], section.rows[2]
    rows = tuple(replace(row, name=name, level=frozenset(), metrics={"map@5": row.metrics["map@5"]},
                         difference=gap and Difference(gap.value, gap.low, gap.high, gap.p))
                 for row, name, gap in ((first, "A & B", None), (third, "[C] 50 %", third.difference)))
    return replace(section, dataset="health_food", rows=rows, groups=())


def _read(section: Section) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(render_csv([section])), float_precision="round_trip")


def test_latex_is_what_a_paper_takes(small: Section) -> None:
    text = render_latex([small])
    assert GOLDEN in text and text.startswith("% Made by recbole_medmoe ")


def test_latex_needs_booktabs_and_graphicx_alone(section: Section) -> None:
    commands = set(re.findall(r"\\[a-zA-Z]+", render_latex([section])))
    assert commands <= {r"\usepackage", r"\begin", r"\end", r"\centering", r"\caption", r"\label", r"\toprule",
                        r"\midrule", r"\bottomrule", r"\textbf", r"\scriptsize", r"\textsuperscript", r"\dag",
                        r"\Delta", r"\cdot", r"\pm", r"\times",
                        r"\resizebox", r"\ifdim", r"\width", r"\linewidth", r"\else", r"\fi"}


def test_every_row_of_latex_has_as_many_cells_as_its_head_and_braces_close(section: Section) -> None:
    for block in re.findall(r"\\toprule\n(.*?)\\bottomrule", render_latex([section]), re.DOTALL):
        rows = [line for line in block.splitlines() if line.endswith(r"\\")]
        assert len(rows) > 1 and len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
        assert all(row.count("{") - row.count(r"\{") == row.count("}") - row.count(r"\}") for row in rows)


def test_labels_of_latex_are_there_once(section: Section) -> None:
    labels = re.findall(r"\\label\{(.*?)\}", render_latex([section, replace(section, split="warm")]))
    assert len(labels) == len(set(labels)) > 6 and all(re.fullmatch(r"tab:[A-Za-z0-9-]+", label) for label in labels)


@pytest.mark.parametrize(("text", "expected"), [
    ("50 % & $5 #1 a_b {c} ~ ^", r"50\,\% \& \$5 \#1 a\_b \{c\} \textasciitilde{} \textasciicircum{}"),
    ("\\input{x}", r"\textbackslash{}input\{x\}"), ("pass --ddi, eicu-demo", "pass -{}-ddi, eicu-demo"),
    ("−0.1–0.2 ±", r"$-$0.1--0.2 $\pm$"), ("[a]", "{[}a{]}")])
def test_no_character_has_a_meaning_to_latex(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_csv_reads_back_as_the_same_numbers(section: Section) -> None:
    table = _read(section)
    assert tuple(table.columns) == COLUMNS
    for row in section.rows:
        for metric, known in row.metrics.items():
            line, = table[(table.model == row.name) & (table.metric == metric) & table.group.isna()].to_dict("records")
            assert line["value"] == known.value
            if known.low is not None:
                assert (line["low"], line["high"]) == (known.low, known.high)


def test_csv_has_tests_costs_groups_and_marks(section: Section) -> None:
    table = _read(section)
    line, = table[(table.model == "MoEOnly") & (table.metric == "map@5") & table.group.isna()].to_dict("records")
    gap = section.rows[2].difference
    assert gap is not None
    assert [line[name] for name in ("against", "difference", "difference_low", "difference_high", "p", "p_holm", "t",
                                    "degrees", "t_p", "effect", "training_seconds", "parameters", "seeds")] == [
        "MedMoE", gap.value, gap.low, gap.high, gap.plain, gap.p, 9.5, 324, .001, .53, 38.2, 182_345, "0 1"]
    groups = table[table.group.notna()]
    assert set(groups.group) == {"cold patient"} and set(groups.rows) == {325} and len(groups) == 5
    marks = {(line.model, line.metric): line.mark for line in table[table.mark.notna()].itertuples()}
    assert marks[("FeatureRidge", "map@5")] == "best" and marks[("MedMoE", "map@5")] == "level"
    assert ("MedMoE", "itemcoverage@5") not in marks   # of which neither end is better


def test_what_is_not_known_is_empty_in_csv(section: Section) -> None:
    bare = replace(section.rows[0], metrics={"map@5": Estimate(.4)}, spread=None, difference=None)
    line = _read(replace(section, rows=(bare,), groups=())).iloc[0]
    assert pd.isna(line.low) and pd.isna(line.p) and pd.isna(line.spread) and pd.isna(line.threshold_low)


def test_the_same_section_gives_the_same_csv_and_latex(section: Section, tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_report([section], csv=tmp_path / place / "n.csv", tex=tmp_path / place / "t.tex")
    for name in ("n.csv", "t.tex"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_best_is_bold_and_what_is_not_shown_to_be_below_it_has_a_dagger(section: Section) -> None:
    results = section_tables(section)[0]
    marks = {row[0].text: row[1].mark for row in results.rows}
    assert marks == {"MedMoE": "level", "FeatureRidge": "best", "MoEOnly": "", "LLMOnly": "", "Pop": ""}
    text, page = render_markdown([section]), render_html([section])
    assert "| MedMoE | 0.402† [0.372–0.432] |" in text and "| FeatureRidge | **0.431** [0.401–0.461] |" in text
    assert 'class="level">0.402<sup>†</sup>' in page and 'class="best">0.431' in page and "no planned test" in page


def test_tests_are_told_in_full(section: Section) -> None:
    table = next(table for table in section_tables(section) if table.kind == "tests")
    row = next(row for row in table.rows if row[0].text == "LLMOnly")
    assert [cell.text for cell in row[1:]] == ["−0.004", "0.152", "0.610", "+9.500", "324", "0.001", "+0.530"]


class _Cells(HTMLParser):
    """Number of cells of each row, table by table, and the values that numbers are sorted by."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[int]] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append(0)
        elif tag in ("td", "th"):
            self.tables[-1][-1] += 1
            self.values += [value or "" for name, value in attrs if name == "data-value"]


def test_rows_of_the_page_have_as_many_cells_as_their_head_and_numbers_to_sort_by(section: Section) -> None:
    parser = _Cells()
    parser.feed(render_html([section]))
    assert len(parser.tables) == len(section_tables(section))
    assert all(len(set(table)) == 1 and len(table) > 1 for table in parser.tables)
    assert "0.402" in parser.values and "182345" in parser.values and "" in parser.values
    assert all(value == "" or float(value) == float(value) for value in parser.values)


def test_without_javascript_the_page_has_all_rows_and_no_dead_field(section: Section) -> None:
    page = render_html([section])
    assert '<div class="tools" hidden>' in page and "<tr hidden" not in page and "<button" not in page
    assert page.count("<script>") == 1 and "default-src 'none'" in page


def test_records_are_linked_from_where_the_page_lies(section: Section, tmp_path: Path) -> None:
    row = replace(section.rows[0], folders=(tmp_path / "runs" / "a model" / "one",))
    page = render_html([replace(section, rows=(row,))], tmp_path / "pages")
    assert '<a href="../runs/a%20model/one/record.json">one</a>' in page
    assert "record.json" not in render_html([section])
