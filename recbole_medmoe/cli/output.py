"""How the command line speaks: results on stdout, everything else on stderr, plain when not a terminal."""
from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

PROGRAM = "recbole-medmoe"
_PIPE_WIDTH = 160   # a pipe has no width of its own; rich's 80 would break the tables


def console(stderr: bool = False) -> Console:
    """A console on the streams of this moment, so that redirected streams and tests see what is printed."""
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    return Console(file=stream, width=None if terminal else _PIPE_WIDTH, highlight=False)


def say(message: str = "") -> None:
    """Prints one line of plain text (no markup is read in it) on stdout."""
    console().print(Text(message), soft_wrap=True)


def note(message: str) -> None:
    """Prints one line of progress on stderr."""
    console(stderr=True).print(Text(message, style="dim"), soft_wrap=True)


def fail(message: str) -> None:
    """Prints one error on stderr."""
    console(stderr=True).print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)


class _Notes(logging.Handler):
    """Prints records as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextmanager
def log_shown() -> Iterator[None]:
    """Shows what the package logs, notices included, on stderr."""
    log, handler = logging.getLogger("recbole_medmoe"), _Notes()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)


def table(title: str, columns: list[str], rows: list[list[str]], right: tuple[int, ...] = ()) -> Table:
    """A table of plain cells; columns whose index is in ``right`` are set to the right."""
    made = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold", box=None,
                 pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        made.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made
