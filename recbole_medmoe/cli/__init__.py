"""The command line: ``python run_recbole_medmoe.py`` and the installed ``recbole-medmoe`` both call ``main``."""
from __future__ import annotations

from typing import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 2 a fault that the user can mend, 130 interrupted.

    Args:
        argv: arguments without the program's name; None reads the process's own.
    """
    from .app import run_command

    return run_command(argv)
