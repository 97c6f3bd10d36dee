"""``report``: tables and a page from finished runs."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import console, say

HELP = """Compare the finished runs in a folder: in the terminal, as Markdown, CSV, LaTeX, as one stand-alone HTML page.

**Examples**

```text
recbole-medmoe report runs
recbole-medmoe report runs/healthfood --md results.md --html results.html
recbole-medmoe report runs --csv numbers.csv --tex tables.tex
recbole-medmoe report runs --against FeatureRidge
```
"""


def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A runs folder, or any folder inside one.")],
    md: Annotated[Path | None, typer.Option("--md", metavar="FILE", help="Write a Markdown file.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write an HTML page.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write all numbers as CSV.")] = None,
    tex: Annotated[Path | None, typer.Option("--tex", metavar="FILE", help="Write LaTeX tables.")] = None,
    against: Annotated[str, typer.Option(
        "--against", metavar="MODEL", help="The model that all others are compared with.")] = "",
) -> None:
    """Prints the tables and writes the files asked for."""
    from ..bench.report import read_sections, write_report
    from ..bench.terminal import print_section

    sections = read_sections(folder, against=against or None)
    for section in sections:
        print_section(section, console())
    for path in write_report(sections, md=md, html=html, csv=csv, tex=tex):
        say(f"written: {path}")
