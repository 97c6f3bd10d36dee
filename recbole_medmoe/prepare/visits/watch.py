"""How far a long query has come, on a terminal."""
from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Iterator

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from .session import Session, run

__all__ = ["shown"]
_WIDTH, _PER_SECOND = 40, 5


@contextmanager
def shown(session: Session, wanted: bool) -> Iterator[None]:
    """Shows on stderr how far the query of this moment has come, by DuckDB's estimate; each query begins at 0 again.

    Between queries, and where DuckDB cannot tell, the bar is gone. Nothing is shown, and nothing asked of DuckDB, where
    it is not ``wanted`` or stderr is no terminal.
    """
    if not (wanted and sys.stderr.isatty()):
        yield
        return
    run(session, "SET enable_progress_bar = true")  # without it DuckDB counts nothing
    run(session, "SET enable_progress_bar_print = false")  # its own bar would be on stdout

    def line() -> Table | str:
        percent = session.query_progress()
        if percent < 0:
            return ""
        made = Table.grid(padding=(0, 1))
        made.add_row(ProgressBar(total=100, completed=percent, width=_WIDTH), f"{percent:.0f} % of this step")
        return made

    # The thread that draws is the one that asks; it ends before the session is closed.
    with Live(get_renderable=line, console=Console(stderr=True), refresh_per_second=_PER_SECOND, transient=True):
        yield
