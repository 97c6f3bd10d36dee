from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from recbole_medmoe.bench.report import render_html, render_markdown, write_report
from recbole_medmoe.bench.sections import Section
from recbole_medmoe.bench.tables import best_models


class _Balance(HTMLParser):
    """Fails on a tag that is closed out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "br", "input", "line", "circle"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_balanced_html(section: Section) -> None:
    parser = _Balance()
    parser.feed(re.sub(r"<(line|circle)([^>]*)/>", r"<\1\2>", render_html([section])))
    assert not parser.open


def test_the_page_asks_no_network(section: Section) -> None:
    page = render_html([section])
    assert not re.search(r"https?://|src=|<link|@import|url\(", page)


def test_the_page_has_light_and_dark_and_a_phone_width(section: Section) -> None:
    page = render_html([section])
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_the_same_section_gives_the_same_bytes(section: Section, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.md", "a.html", "b.md", "b.html")]
    write_report([section], md=files[0], html=files[1])
    write_report([section], md=files[2], html=files[3])
    assert files[0].read_bytes() == files[2].read_bytes()
    assert files[1].read_bytes() == files[3].read_bytes()


def test_names_cannot_break_the_page(section: Section) -> None:
    section = replace(section, dataset="<script>alert(1)</script>")
    assert "<script>alert" not in render_html([section])


def test_every_model_metric_and_difference_is_on_the_page(section: Section) -> None:
    page = render_html([section])
    assert all(f'<th scope="row">{row.name}</th>' in page for row in section.rows)
    assert "+0.029" in page and "0.401–0.461" in page and "&lt;0.001" in page and "1,210 MiB" in page


def test_a_small_group_says_so_instead_of_a_number(section: Section) -> None:
    for page in (render_html([section]), render_markdown([section])):
        assert "n too small: condition: gout (7)." in page


def test_markdown_tables_have_as_many_cells_as_heads(section: Section) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", render_markdown([section]), re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_only_metrics_where_higher_is_better_have_a_best_model(section: Section) -> None:
    assert best_models(section, "map@5") == ["FeatureRidge"]
    assert best_models(section, "itemcoverage@5") == []


def test_several_sections_get_links(section: Section) -> None:
    page = render_html([section, replace(section, split="warm")])
    assert 'href="#healthfood-warm-01234567"' in page and 'id="healthfood-warm-01234567"' in page
