"""``check``: does a recommender keep the rules that every model here must keep?"""
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CheckError
from .output import console, note, say, table
from .run import check_keys

if TYPE_CHECKING:
    from ..checks.report import CheckReport

HELP = """Check a recommender: that it learns, ranks, saves and stays within its folder, on tiny data made in code.

Takes seconds, needs no data set and no backbone. Exit code 2 if a check fails.

**Examples**

```text
recbole-medmoe check MedMoE
recbole-medmoe check my_package.my_module:MyModel
recbole-medmoe check MedMoE --only bf16 --fusion=concat
```
"""
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def check(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name of `list models`, or package.module:Class.")],
    only: Annotated[list[str], typer.Option(
        "--only", metavar="NAME", help="One check; may be repeated. Default: all, see docs/checks.md.")] = [],
) -> None:
    """Runs the checks and prints what each found."""
    keys = check_keys(context.args, ("--only",))
    from ..checks.checking import check_recommender
    from ..config.loading import read_arguments

    try:
        report = check_recommender(model, overrides=read_arguments(keys).values, only=only or None,
                                   told=lambda line: note(f"{line.check}: {line.outcome}"))
    except CheckError as error:
        _print(error.report)
        raise
    _print(report)


def _print(report: CheckReport) -> None:
    console().print(table(f"Checks of {report.model}", ["check", "outcome", "found", "seconds"], report.rows(), (3,)))
    say(f"\n{report.count('passed')} passed, {report.count('not applicable')} not applicable, "
        f"{report.count('failed')} failed, in {report.seconds:.1f} seconds")
