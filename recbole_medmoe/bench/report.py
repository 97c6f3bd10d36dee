"""Markdown, CSV, LaTeX and one stand-alone HTML page; the same runs give the same bytes at the same place."""
from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence
from urllib.parse import quote

from ..version import __version__
from ..store import atomic_write
from .chart import interval_chart
from .figures import Figure
from .latex import render_latex
from .numbers import score
from .reading import read_sections
from .routers import Routers
from .sections import Section, label
from .tables import BEST, DAGGER, LEVEL, Table, TableCell, section_tables
from .tidy import render_csv

__all__ = ["environment", "markdown_lines", "markdown_table", "read_sections", "render_html", "render_markdown",
           "report", "write_files", "write_report"]


def report(folder: Path, against: str | None = None, **files: Path | None) -> list[Path]:
    """Reads every finished run under ``folder`` and writes the files that are named, see `write_report`.

    Raises:
        RecordError: no run there, or a record that does not fit the schema.
    """
    return write_report(read_sections(folder, against=against), **files)


def write_report(sections: Sequence[Section], md: Path | None = None, html: Path | None = None,
                 csv: Path | None = None, tex: Path | None = None) -> list[Path]:
    """Writes the files that are named and returns their paths."""
    renders: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (md, lambda: render_markdown(sections)), (html, lambda: render_html(sections, html and html.parent)),
        (csv, lambda: render_csv(sections)), (tex, lambda: render_latex(sections)))
    return write_files({path: render() for path, render in renders if path is not None})


def write_files(contents: Mapping[Path, str]) -> list[Path]:
    """Writes each text whole, and makes the folders that it needs."""
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text.encode())
    return list(contents)


def _chart(section: Section) -> object:
    from markupsafe import Markup

    rows = []
    for row in section.rows:
        cell = row.metrics[section.primary]
        rows.append((row.name, cell.value, cell.low, cell.high))
    return Markup(interval_chart(label(section.primary), rows, section.reference.name if len(rows) > 1 else ""))


def _figure(figure: Figure) -> object:
    from markupsafe import Markup

    return Markup(figure.inline())


def _sortable(cell: TableCell) -> str:
    """What a cell is sorted by, '' where it has no number."""
    return "" if cell.value is None or not math.isfinite(cell.value) else f"{cell.value:.6g}"


def environment(place: Path | None = None) -> Any:
    """The templates with their filters; pages refer to no network.

    Args:
        place: folder of the page, from which it links to records; None makes no links.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    def record(folder: Path) -> str:
        return "" if place is None else quote(Path(os.path.relpath(folder / "record.json", place)).as_posix())

    page = Environment(loader=PackageLoader("recbole_medmoe.bench", ""), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)
    page.filters.update(label=label, chart=_chart, figure=_figure, tables=section_tables, sortable=_sortable,
                        record=record)
    return page


def render_html(sections: Sequence[Section], place: Path | None = None) -> str:
    """One page of tables; ``place`` as in `environment`."""
    return str(environment(place).get_template("page.html.j2").render(
        title=_title(sections), sections=sections, version=__version__,
        runs=sum(len(row.runs) for section in sections for row in section.rows)).lstrip())


def _title(sections: Sequence[Section]) -> str:
    names = sorted({section.dataset for section in sections})
    return f"Results on {', '.join(names)}"


def render_markdown(sections: Sequence[Section]) -> str:
    """The page's tables as Markdown."""
    lines = [f"# {_title(sections)}"]
    for section in sections:
        lines += ["", f"## {section.title}", ""] + ([f"{section.subject}.", ""] if section.subject else [])
        lines.append(section.headline)
        for text in section.notes:
            lines += ["", f"> {text}"]
        for table in section_tables(section):
            lines += markdown_lines(table)
        lines += router_lines(section.routers)
        lines += ["", "How this was measured", "", *(f"- {sentence}" for sentence in section.protocol)]
        lines += ["", "Run these again", ""]
        lines += [f"- {row.name} ({row.told()}): `{row.command}`" for row in section.rows]
    return "\n".join(lines) + "\n"


def markdown_lines(table: Table) -> list[str]:
    """A table as Markdown, with its title where it is none of results, its caption and its note."""
    lines = [] if table.kind == "results" else ["", table.title]
    lines += ["", *markdown_table(table.head, [[_cell(cell) for cell in row] for row in table.rows])]
    return lines + [line for text in (table.caption, table.note) if text for line in ("", text)]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> list[str]:
    """Lines of a Markdown table; all columns but the first are set to the right where they are ``numbers``."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + ("---:|" if numbers else "---|") * (len(head) - 1)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def router_lines(routers: Sequence[Routers], stem: str | None = None) -> list[str]:
    """Markdown lines on models with routers; none where there are none.

    Args:
        routers: of each such model.
        stem: how the names of their figures begin, see `router_figures`; None for a table of the loads in their place.
    """
    lines = [part for place, inside in enumerate(routers, start=1) for part in (
        "", f"### Routers of {inside.name}", "", inside.told_of, *(
            part for name, (caption, _) in inside.figures.items() if stem is not None
            for part in ("", f"![{caption}]({_figure_file(stem, place, name)})")))]
    if not routers or stem is not None:
        return lines
    most = max(len(inside.told["load"]) for inside in routers)
    rows = [[inside.name, *map(score, inside.told["load"])] for inside in routers]
    head = ["Share of the choices, experts from the busiest to the least", *map(str, range(1, most + 1))]
    return [*lines, "", *markdown_table(head, [row + ["–"] * (most + 1 - len(row)) for row in rows])]


def router_figures(routers: Sequence[Routers], stem: str) -> dict[str, Figure]:
    """File name to figure of models with routers, as `router_lines` names them."""
    return {_figure_file(stem, place, name): figure for place, inside in enumerate(routers, start=1)
            for name, (_, figure) in inside.figures.items()}


def _figure_file(stem: str, place: int, name: str) -> str:
    return f"{stem}-routers{place}-{name}.svg"


def _cell(cell: TableCell) -> str:
    text = f"**{cell.text}**" if cell.mark == BEST else cell.text + DAGGER * (cell.mark == LEVEL)
    return f"{text} [{cell.interval}]" if cell.interval else text
