"""The same comparison in the terminal."""
from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import numbers
from .sections import ModelRow, Section, label

# Metrics of what the lists hold, not of how right they are: a terminal has no room for both, the report shows all.
ABOUT_LISTS = {"itemcoverage", "giniindex", "listdistance", "popularitylift", "averagepopularity", "shannonentropy",
               "tailpercentage"}


def print_section(section: Section, console: Console) -> None:
    """Prints results with intervals, differences, cost and groups of one comparison."""
    console.print(Text(f"\n{section.title}", style="bold"))
    console.print(Text(section.headline), soft_wrap=True)
    for text in section.notes:
        console.print(Text(f"Note: {text}", style="yellow"), soft_wrap=True)
    console.print(_results(section))
    if section.round_metrics:
        console.print(Text("\nMean ± standard deviation over rounds", style="bold"))
        console.print(_rounds(section))
    if section.groups:
        console.print(Text(f"\n{label(section.primary)} by group", style="bold"))
        console.print(_groups(section))
        if section.small_groups:
            console.print(Text(f"n too small: {section.small_groups}", style="dim"), soft_wrap=True)


def _plain() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _results(section: Section) -> Table:
    metrics = section.metric_tables[0]
    tested = section.is_tested
    table = _plain()
    table.add_column("Model")
    table.add_column(label(section.primary), justify="right")
    table.add_column("95 %", style="dim")
    if tested:
        table.add_column("Δ", justify="right")
        table.add_column("p", justify="right")
    others = [metric for metric in metrics if metric != section.primary]
    accuracy = [metric for metric in others if metric.partition("@")[0] not in ABOUT_LISTS]
    others = accuracy or others
    for metric in others:
        table.add_column(label(metric), justify="right")
    if section.has_thresholds:
        table.add_column("Threshold", justify="right")
    for name in ("Train", "Memory", "Trained"):
        table.add_column(name, justify="right", style="dim")
    for row in section.rows:
        own = row.metrics[section.primary]
        cells = [Text(row.name), Text(numbers.score(own.value), style="bold"), Text(own.interval)]
        cells += _difference(row) if tested else []
        cells += [Text(numbers.score(row.metrics[m].value) if m in row.metrics else section.absent(m)) for m in others]
        cells += [Text(numbers.thresholds(row.thresholds))] if section.has_thresholds else []
        cells += [Text(numbers.seconds(row.cost["training"])), Text(numbers.memory(row.cost["memory"])),
                  Text(numbers.count(row.cost["trainable"]))]
        table.add_row(*cells)
    return table


def _difference(row: ModelRow) -> list[Text]:
    if row.difference is None:
        return [Text("reference", style="dim"), Text("–", style="dim")]
    gap = row.difference
    style = ("green" if gap.value > 0 else "red") if numbers.shown(gap.p) else ""
    return [Text(numbers.signed(gap.value), style=style), Text(numbers.p_value(gap.p))]


def _rounds(section: Section) -> Table:
    table = _plain()
    table.add_column("Model")
    for metric in section.round_metrics:
        table.add_column(label(metric), justify="right")
    for row in section.rows:
        table.add_row(row.name, *(numbers.plus_minus(row.rounds[metric]) for metric in section.round_metrics))
    return table


def _groups(section: Section) -> Table:
    table = _plain()
    table.add_column("Group")
    table.add_column(section.counted, justify="right")
    for row in section.rows:
        table.add_column(row.name, justify="right")
    for group in section.groups:
        if group.scores:
            known = [group.scores.get(row.name) for row in section.rows]
            table.add_row(group.name, numbers.count(group.rows),
                          *(numbers.score(one.value if one else None) for one in known))
    return table
