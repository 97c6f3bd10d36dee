"""Progress of encoding: a bar with a rate on a terminal, a plain line every half minute elsewhere."""
from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import Callable, Iterator

LONG = 8  # chunks of unread texts from which on their reading is shown
_EVERY = 30.0  # seconds between plain lines


def progress_mode(asked: str | bool | None) -> str | bool:
    """How the key ``progress`` asks for progress, for `meter`; RecBole gives None for a key that its own
    configuration lacks."""
    return "auto" if asked is None else asked


@contextmanager
def meter(title: str, total: int, unit: str, mode: str | bool = "auto") -> Iterator[Callable[[int], None]]:
    """Shows how far a long work is, on stderr.

    Args:
        title: what is worked on.
        total: units in all.
        unit: e.g. ``tokens``.
        mode: ``auto`` (a bar on a terminal, else plain lines), True (always a bar) or False (nothing).

    Yields:
        A function that takes the units done since the last call.
    """
    if mode is False or mode == "off":
        yield lambda units: None
    elif mode is True or mode == "on" or sys.stderr.isatty():
        with _bar(title, total, unit) as advance:
            yield advance
    else:
        yield _Lines(title, total, unit).advance


class _Lines:
    """Plain lines for logs; silent on work of under half a minute."""

    def __init__(self, title: str, total: int, unit: str) -> None:
        self.title, self.total, self.unit = title, max(1, total), unit
        self.done = 0
        self.started = self.said = time.monotonic()

    def advance(self, units: int) -> None:
        self.done += units
        now = time.monotonic()
        if now - self.said >= _EVERY:
            self.said = now
            rate = self.done / (now - self.started)
            print(f"{self.title}: {100 * self.done // self.total} %, {rate:.0f} {self.unit}/s, "
                  f"{(self.total - self.done) / rate:.0f} s left", file=sys.stderr, flush=True)


@contextmanager
def _bar(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Units per second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.0f} {unit}/s" if task.speed else f"- {unit}/s")

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), Rate(),
               TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda units: progress.advance(task, units)
