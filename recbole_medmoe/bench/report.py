"""Markdown and one stand-alone HTML page; the same runs give the same bytes."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

from ..version import __version__
from ..store import atomic_write
from . import numbers
from .chart import interval_chart
from .figures import Figure
from .reading import read_sections
from .routers import Routers
from .sections import Difference, ModelRow, Section, label

__all__ = ["environment", "markdown_table", "metric_table", "read_sections", "render_html", "render_markdown", "report",
           "write_report"]
# Lower is better, or neither end is: no cell is set in bold.
_NO_BEST = {"giniindex", "averagepopularity", "shannonentropy", "tailpercentage", "itemcoverage", "mae", "rmse",
            "logloss", "ddirate", "trueddirate", "setsize", "truesetsize"}


def report(folder: Path, md: Path | None = None, html: Path | None = None, against: str | None = None) -> list[Path]:
    """Reads every finished run under ``folder`` and writes the files that are named.

    Raises:
        RecordError: no run there, or a record that does not fit the schema.
    """
    return write_report(read_sections(folder, against=against), md=md, html=html)


def write_report(sections: Sequence[Section], md: Path | None = None, html: Path | None = None) -> list[Path]:
    """Writes the files that are named and returns their paths."""
    written = []
    for path, render in ((md, render_markdown), (html, render_html)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, render(sections).encode())
            written.append(path)
    return written


def best_models(section: Section, metric: str) -> list[str]:
    """Names of the models with the highest value; none where higher is not better or where one model stands alone."""
    if len(section.rows) < 2 or metric.partition("@")[0] in _NO_BEST:
        return []
    values = {row.name: row.metrics[metric].value for row in section.rows if metric in row.metrics}
    return [name for name, value in values.items() if value == max(values.values())]


def _chart(section: Section) -> object:
    from markupsafe import Markup

    rows = []
    for row in section.rows:
        cell = row.metrics[section.primary]
        rows.append((row.name, cell.value, cell.low, cell.high))
    return Markup(interval_chart(label(section.primary), rows, section.reference.name if len(rows) > 1 else ""))


def _signed_interval(difference: Difference) -> str:
    return numbers.signed_interval(difference.low, difference.high)


def _figure(figure: Figure) -> object:
    from markupsafe import Markup

    return Markup(figure.inline())


def environment() -> Any:
    """The templates with their filters; pages refer to no network."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    page = Environment(loader=PackageLoader("recbole_medmoe.bench", ""), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)
    page.filters.update(
        label=label, chart=_chart, best=best_models, score=numbers.score, signed=numbers.signed, shown=numbers.shown,
        p_value=numbers.p_value, seconds=numbers.seconds, memory=numbers.memory, count=numbers.count,
        signed_interval=_signed_interval, figure=_figure, thresholds=numbers.thresholds, plus_minus=numbers.plus_minus)
    return page


def render_html(sections: Sequence[Section]) -> str:
    """One page of tables."""
    return str(environment().get_template("page.html.j2").render(
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
        for index, metrics in enumerate(section.metric_tables):
            lines += ["", *metric_table(section, metrics, first=index == 0)]
        if section.round_metrics:
            lines += ["", "Mean ± standard deviation over rounds", "", *_round_table(section)]
        lines += ["", *_cost_table(section)]
        lines += group_lines(section) + router_lines(section.routers)
        lines += ["", "How this was measured", "", *(f"- {sentence}" for sentence in section.protocol)]
        lines += ["", "Run these again", ""]
        lines += [f"- {row.name} ({row.told()}): `{row.command}`" for row in section.rows]
    return "\n".join(lines) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> list[str]:
    """Lines of a Markdown table; all columns but the first are set to the right where they are ``numbers``."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + ("---:|" if numbers else "---|") * (len(head) - 1)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def metric_table(section: Section, metrics: Sequence[str], first: bool) -> list[str]:
    """Markdown lines of one table of results; differences stand in the ``first`` one."""
    tested, with_thresholds = first and section.is_tested, first and section.has_thresholds
    head = ["Model", *(label(metric) for metric in metrics)]
    rows = []
    for row in section.rows:
        cells = [row.name]
        for metric in metrics:
            cell = row.metrics.get(metric)
            cells.append(section.absent(metric) if cell is None
                         else f"{numbers.score(cell.value)} {_bracket(cell.interval)}".strip())
        rows.append(cells[:2] + (_difference(row) if tested else []) + cells[2:]
                    + ([numbers.thresholds(row.thresholds)] if with_thresholds else []))
    head = head[:2] + ([f"Δ {label(section.primary)}", "p (Holm)"] if tested else []) + head[2:]
    return markdown_table(head + (["Threshold"] if with_thresholds else []), rows)


def _bracket(text: str) -> str:
    return f"[{text}]" if text else ""


def _difference(row: ModelRow) -> list[str]:
    if row.difference is None:
        return ["reference", "–"]
    gap = row.difference
    return [f"{numbers.signed(gap.value)} [{_signed_interval(gap)}]", numbers.p_value(gap.p)]


def _cost_table(section: Section) -> list[str]:
    rows = [[row.name, ", ".join(map(str, row.seeds)), numbers.score(row.spread), numbers.seconds(row.cost["training"]),
             numbers.seconds(row.cost["evaluation"]), numbers.memory(row.cost["memory"]),
             numbers.count(row.cost["parameters"]), numbers.count(row.cost["trainable"])] for row in section.rows]
    return markdown_table(["Model", "Seeds", "Spread over seeds", "Training", "Test scoring", "Peak memory",
                           "Parameters", "Trained"], rows)


def _round_table(section: Section) -> list[str]:
    rows = [[row.name, *(numbers.plus_minus(row.rounds[metric]) for metric in section.round_metrics)]
            for row in section.rows]
    return markdown_table(["Model", *map(label, section.round_metrics)], rows)


def group_lines(section: Section) -> list[str]:
    """Markdown lines of the table by group, and of the groups that are too small for it; none where there are none."""
    if not section.groups:
        return []
    names = [row.name for row in section.rows]
    rows = [[group.name, numbers.count(group.rows), *(numbers.score(group.scores.get(name)) for name in names)]
            for group in section.groups if group.scores]
    lines = ["", f"{label(section.primary)} by group", "", *markdown_table(["Group", section.counted, *names], rows)]
    return lines + (["", f"n too small: {section.small_groups}."] if section.small_groups else [])


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
    rows = [[inside.name, *map(numbers.score, inside.told["load"])] for inside in routers]
    head = ["Share of the choices, experts from the busiest to the least", *map(str, range(1, most + 1))]
    return [*lines, "", *markdown_table(head, [row + ["–"] * (most + 1 - len(row)) for row in rows])]


def router_figures(routers: Sequence[Routers], stem: str) -> dict[str, Figure]:
    """File name to figure of models with routers, as `router_lines` names them."""
    return {_figure_file(stem, place, name): figure for place, inside in enumerate(routers, start=1)
            for name, (_, figure) in inside.figures.items()}


def _figure_file(stem: str, place: int, name: str) -> str:
    return f"{stem}-routers{place}-{name}.svg"
