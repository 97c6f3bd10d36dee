"""Runs recbole_medmoe from a source tree; the installed command ``recbole-medmoe`` is the same program."""
from recbole_medmoe.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
