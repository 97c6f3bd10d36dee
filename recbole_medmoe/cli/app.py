"""The program: which command a line of arguments means, and what becomes of its errors."""
from __future__ import annotations

import sys
from typing import Annotated, Sequence

import typer

from .. import __version__
from ..errors import MedMoEError, nearest
from . import bench, check, doctor, encode, listing, prepare, report, run
from .output import PROGRAM, fail, log_shown

_HELP = """Recommenders for health built from large language models and mixtures of experts, beside RecBole's own.

Without a command's name the arguments belong to `run`; `recbole-medmoe run --help` lists them.

**Examples**

```text
recbole-medmoe                                       the demonstration: healthy food
recbole-medmoe --model BPR --dataset ml-100k --epochs=5
recbole-medmoe --model MedMoE,FeatureRidge,Pop --dataset healthfood
recbole-medmoe --model MedMoE --dataset healthfood --split warm --dry-run
recbole-medmoe list models                           and: list models MedMoE
recbole-medmoe check my_module:MyModel               does a model of your own keep the rules?
```
"""

app = typer.Typer(help=_HELP, rich_markup_mode="markdown", add_completion=False, no_args_is_help=False,
                  pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
app.command("run", help=run.HELP, context_settings=run.CONTEXT)(run.run)
app.command("list", help=listing.HELP)(listing.show)
app.add_typer(prepare.app, name="prepare")
app.command("encode", help=encode.HELP, context_settings=encode.CONTEXT)(encode.encode)
app.command("bench", help=bench.HELP)(bench.bench)
app.command("report", help=report.HELP)(report.report)
app.command("check", help=check.HELP, context_settings=check.CONTEXT)(check.check)
app.command("doctor", help=doctor.HELP)(doctor.doctor)

COMMANDS = ("run", "list", "prepare", "encode", "bench", "report", "check", "doctor")
_OWN_OPTIONS = {"-h", "--help", "--version"}


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"recbole_medmoe {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True,
                                          callback=_print_version)] = False,
) -> None:
    """Exists for the options of the program itself."""


def run_command(argv: Sequence[str] | None) -> int:
    """Does what ``argv`` says and turns every error that a user can mend into one message and exit code 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    given = list(words)
    try:
        if not words:
            from .demo import demo

            demo()
            return 0
        if words[0].startswith("-") and words[0] not in _OWN_OPTIONS:
            words.insert(0, "run")
        elif not words[0].startswith("-") and words[0] not in COMMANDS:
            fail(f"no command '{words[0]}'{nearest(words[0], COMMANDS)}")
            return 2
        with log_shown():
            app(args=words, prog_name=PROGRAM, obj=given)
    except SystemExit as stop:   # typer leaves this way, also when all went well
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except MedMoEError as error:
        fail(str(error))
        return 2
    except KeyboardInterrupt:
        fail("interrupted; finished runs are kept")
        return 130
    return 0
