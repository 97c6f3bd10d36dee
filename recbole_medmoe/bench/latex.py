"""The tables of a report as LaTeX with booktabs and graphicx, ready for a paper."""
from __future__ import annotations

import re
from typing import Any, Sequence

from ..version import __version__
from .sections import Section
from .tables import BEST, DAGGER, LEVEL, Table, TableCell, section_tables

_ESCAPED = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
            "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
            "[": "{[}", "]": "{]}", '"': "''", "–": "--", "−": "$-$", "±": r"$\pm$", "Δ": r"$\Delta$", "·": r"$\cdot$",
            "“": "``", "”": "''", "…": r"\dots{}", "×": r"$\times$", "ß": r"\ss{}", DAGGER: r"\textsuperscript{\dag}",
            "\u00a0": "~", "\u2009": r"\,", "\0": "{}"}


def escaped(text: str) -> str:
    """Text in which no character has a meaning of its own to LaTeX; two hyphens stay two hyphens."""
    parted = re.sub("-(?=-)", "-\0", text).replace(" %", "\u2009%")   # a hyphen before a hyphen; a thin space
    return "".join(_ESCAPED.get(letter, letter) for letter in parted)


def render_latex(sections: Sequence[Section]) -> str:
    """Every table of the sections as a float with caption and label; booktabs and graphicx are the only packages.

    Bold is the highest value of a column, a dagger what is not shown to be below it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    template = Environment(
        loader=PackageLoader("recbole_medmoe.bench", ""), autoescape=False, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, block_start_string="<%",
        block_end_string="%>", variable_start_string="<<<", variable_end_string=">>>", comment_start_string="<#",
        comment_end_string="#>").get_template("table.tex.j2")
    tables = [_written(section, table, place) for section in sections
              for place, table in enumerate(section_tables(section), start=1)]
    return str(template.render(tables=tables, version=__version__))


def _written(section: Section, table: Table, place: int) -> dict[str, Any]:
    told = [f"{section.title}: {table.title}.", table.caption, table.note]
    label = re.sub(r"[^A-Za-z0-9]+", "-", f"{section.anchor}-{table.kind}-{place}")
    return {"caption": " ".join(map(escaped, filter(None, told))), "label": f"tab:{label}",
            "head": [escaped(name) for name in table.head],
            "rows": [[_cell(cell) for cell in row] for row in table.rows]}


def _cell(cell: TableCell) -> str:
    text = escaped(cell.text)
    if cell.mark == BEST:
        text = rf"\textbf{{{text}}}"
    elif cell.mark == LEVEL:
        text += escaped(DAGGER)
    return rf"{text} {{\scriptsize [{escaped(cell.interval)}]}}" if cell.interval else text
