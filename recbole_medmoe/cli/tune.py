"""``tune``: a model's parameters, searched on validation."""
from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Sequence, cast, get_args

import typer

from ..errors import ConfigError, nearest
from .engines import EngineOption, GpusOption, JobsOption, SchedulerOption, make_engine
from .output import PROGRAM, console, note, say, table
from .run import OPTIONS, check_keys, check_names

if TYPE_CHECKING:
    from ..bench.search import Outcome, Search

HELP = """Search a model's parameters; only validation is scored.

The space is `properties/search/<Model>.yaml`, or a file of your own. Keys given as `--key=value` or in a file stay as
given. Trials are kept as they end: a search that was stopped, also by a kill, goes on with `--resume`, and ends with
the trials of one that was not stopped. The best values are written to `best.yaml`, which `--config` takes.

**Examples**

```text
recbole-medmoe tune --model MedMoE --dataset healthfood --trials 20
recbole-medmoe tune --model MedMoE --dataset healthfood --trials 40 --resume
recbole-medmoe --model MedMoE --dataset healthfood --config runs/searches/healthfood/cold_patient/MedMoE/best.yaml

the same time for each of three models:
recbole-medmoe tune --model BPR,NeuMF,LightGCN --dataset ml-100k --minutes 30

a space of your own, every point of it:
recbole-medmoe tune --model EASE --dataset ml-100k --space my.yaml --algorithm exhaustive
```
"""
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
_OPTIONS = (*OPTIONS[:3], "--config", "--trials", "--minutes", "--seed", "--algorithm", "--space", "--out", "--resume",
            "--engine", "--scheduler", "--gpus", "--jobs")
_TRIALS, _SHOWN = 20, 10


def tune(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", "-m", metavar="M[,M2...]", help="Model, or several with commas: "
                                       "each gets the whole budget.")] = "",
    dataset: Annotated[str, typer.Option("--dataset", "-d", metavar="NAME", help="Data set, as of run.")] = "",
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="Which pre-split files; default: the data "
                                       "set's own default.")] = "",
    config: Annotated[list[Path], typer.Option(
        "--config", "-c", metavar="FILE", help="YAML file of keys that stay as given, as of run.")] = [],
    trials: Annotated[int | None, typer.Option(
        "--trials", metavar="N", help=f"Trials per model; default: {_TRIALS}, or no bound where --minutes is given.")
                      ] = None,
    minutes: Annotated[float | None, typer.Option(
        "--minutes", metavar="X", help="Time per model: no trial begins once the trials took as long.")] = None,
    seed: Annotated[int | None, typer.Option(
        "--seed", metavar="S", help="Of the proposals and of every trial; default: the key seed.")] = None,
    algorithm: Annotated[str, typer.Option("--algorithm", metavar="tpe|random|exhaustive", help="How values are "
                                           "proposed.")] = "tpe",
    space: Annotated[Path | None, typer.Option("--space", metavar="FILE", help="A search space of your own.")] = None,
    out: Annotated[Path | None, typer.Option(
        "--out", metavar="DIR", help="Where the search is kept, one folder per model; default: "
        "runs/searches/<dataset>/<split>.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the trials that are there.")] = False,
    engine: EngineOption = "local",
    scheduler: SchedulerOption = "",
    gpus: GpusOption = "",
    jobs: JobsOption = 1,
) -> None:
    """Checks everything, searches model by model, prints the trials and writes the best values."""
    from ..bench.search import Budget

    argv = check_keys(context.args, _OPTIONS)
    names = check_names(model, dataset, argv)
    searches = _prepared(names, dataset, split, seed, algorithm, space, config, argv, out,
                         _faults(names, split, trials, minutes, algorithm, space))
    budget = Budget(_TRIALS if trials is None and minutes is None else trials, minutes)
    with make_engine(engine, scheduler, gpus, jobs, Path("runs")) as made:
        outcomes = []
        for search in searches:
            if not search.space.keys:
                note(f"{search.model} has nothing to search")
                continue
            outcomes.append(search.run(made, budget, resume=resume, tell=note))
            _show(search, outcomes[-1])
    if any(outcome.best is None for outcome in outcomes):
        raise typer.Exit(1)


def _faults(names: Sequence[str], split: str, trials: int | None, minutes: float | None, algorithm: str,
            space: Path | None) -> list[str]:
    """What is wrong with the options alone."""
    from ..bench.search.proposing import Algorithm

    faults = [] if algorithm in get_args(Algorithm) else [
        f"--algorithm: no algorithm '{algorithm}'{nearest(algorithm, get_args(Algorithm))}"]
    faults += [f"--trials {trials}: a whole number from 1"] if trials is not None and trials < 1 else []
    faults += [f"--minutes {minutes:g}: a number above 0"] if minutes is not None and not 0 < minutes < 1e9 else []
    faults += ["--split folds: a search is on one split; name a fold, e.g. fold0"] if split == "folds" else []
    faults += ["--space is for one model; its keys are that model's"] if space is not None and len(names) > 1 else []
    return faults


def _prepared(names: Sequence[str], dataset: str, split: str, seed: int | None, algorithm: str, space: Path | None,
              files: Sequence[Path], argv: Sequence[str], out: Path | None, faults: list[str]) -> list[Search]:
    """A checked search per model.

    Raises:
        ConfigError: all faults of all models.
    """
    from ..bench.search import Search
    from ..bench.search.proposing import Algorithm
    from ..quick_start.comparing import merge_faults

    searches, wrong = [], []
    for name in names:
        try:
            searches.append(Search.prepare(
                name, dataset, split=split or None, seed=seed, algorithm=cast(Algorithm, algorithm), space=space,
                files=files, argv=argv, beside=names if len(names) > 1 else (), folder=lambda base: (
                    out or Path("runs", "searches", dataset, base.split or "own")) / base.spec.name))
        except ConfigError as error:
            wrong += error.faults if len(names) == 1 else [f"{name}: {fault}" for fault in error.faults]
    if faults or wrong:
        raise ConfigError([*faults, *merge_faults(wrong, names)])
    return searches


def _show(search: Search, outcome: Outcome) -> None:
    """Prints the trials, the best first, and what can be done with them."""
    metric = str(search.base["valid_metric"])
    keys = list(search.space.keys)
    rows = [[str(trial.number + 1), trial.status, "–" if trial.score is None else f"{trial.score:.4f}",
             *(_told(trial.values[key]) for key in keys), str(trial.epochs), f"{trial.seconds:.1f}"]
            for trial in outcome.ranked[:_SHOWN]]
    split = f", split {search.base.split}" if search.base.split else ""
    title = f"{search.model} on {search.base.dataset}{split}: the best of {len(outcome.trials)} trials"
    right = (0, 2, len(keys) + 3, len(keys) + 4)
    console().print(table(title, ["trial", "status", f"validation {metric}", *keys, "epochs", "seconds"], rows, right))
    counts = ", ".join(f"{outcome.count(status)} {status}" for status in ("finished", "stopped", "failed")
                       if outcome.count(status))
    say(f"{counts}; {outcome.seconds:.0f} s. No test row was scored.")
    for trial in outcome.trials:
        if trial.status == "failed":
            say(f"  trial {trial.number + 1} failed: {trial.reason}")
    written = outcome.write()
    if not written or outcome.best is None:
        say("no trial finished, so that there are no best values")
        return
    first = outcome.trials[0]
    if search.algorithm != "exhaustive" and first.score is not None:
        say(f"best: trial {outcome.best.number + 1}, {metric} {outcome.best.score:.4f} (without a search: "
            f"{first.score:.4f})")
    words = [PROGRAM, "--model", search.model, "--dataset", search.base.dataset]
    words += ["--split", search.base.split] if search.base.split else []
    say(f"written: {', '.join(map(str, written))}\nNext: {shlex.join([*words, '--config', str(written[0])])}")


def _told(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
