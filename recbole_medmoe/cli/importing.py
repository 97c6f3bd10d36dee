"""``bench import``: predictions of an outside system, scored like a model of this program."""
from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from .output import PROGRAM, console, say
from .run import check_keys

HELP = """Score the predictions of an outside system by the same protocol, threshold rule and tests.

The file is CSV (also .csv.gz) or Parquet (.parquet) with the columns `row`, `item`, `score`: for every test row (a
user, or a visit) a score for every item of the data set, the higher the better. Medication sets need the validation
rows, too, since one threshold is tuned on them for every model. Record and report mark the result as imported.

**Examples**

```text
recbole-medmoe bench import --model SafeDrug --dataset eicu-demo --split patient --predictions safedrug.csv
recbole-medmoe bench import --model PyHealth-RETAIN --dataset eicu-demo --split fold0 --predictions fold0.parquet
recbole-medmoe report runs/eicu-demo --against VisitLR
```
"""
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
_OPTIONS = ("--model", "--dataset", "--split", "--predictions", "--seed", "--config", "--runs-dir")


def import_predictions(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME", help="What the system is called.")] = "",
    dataset: Annotated[str, typer.Option("--dataset", "-d", metavar="NAME", help="Data set, as of run.")] = "",
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="The split that was predicted; default: the "
                                       "data set's own default.")] = "",
    predictions: Annotated[Path | None, typer.Option("--predictions", metavar="FILE", help="row, item, score.")] = None,
    seed: Annotated[int | None, typer.Option(
        "--seed", metavar="S", help="Of the system's training: files of several seeds are rows of one model.")] = None,
    config: Annotated[list[Path], typer.Option("--config", "-c", metavar="FILE", help="YAML file of keys.")] = [],
    runs_dir: Annotated[Path | None, typer.Option(
        "--runs-dir", metavar="DIR", help="Where the run folder goes.")] = None,
) -> None:
    """Checks the file, scores it, leaves a run folder and prints its table."""
    argv = check_keys(context.args, _OPTIONS)
    faults = [f"{option} is missing" for option, value in (("--model", model), ("--dataset", dataset),
                                                           ("--predictions", predictions)) if not value]
    if faults or predictions is None:
        raise ConfigError(faults)
    from ..bench.reading import sections_of
    from ..bench.terminal import print_section
    from ..quick_start.predictions import Predictions
    from ..quick_start.running import run_config

    read = Predictions.read(model, predictions)
    made = read.config(dataset, split or None, config, argv, {} if seed is None else {"seed": seed})
    folder = run_config(made, runs_dir=runs_dir, command=shlex.join([PROGRAM, *context.obj]), predictions=read).folder
    for section in sections_of([folder]):
        print_section(section, console())
    say(f"\nKept in {folder}    Beside other runs: {PROGRAM} report {folder.parents[1]}")
