"""``run``: train and score one model, or compare several; what a line without a command's name means."""
from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Sequence

import typer

from ..errors import ConfigError, nearest
from ..processes import is_main
from .output import PROGRAM, console, say, table

if TYPE_CHECKING:
    from ..config import MedConfig

HELP = """Train and score one model, or compare several, on one data set.

Any configuration key can be given as `--key=value`; an unknown one is refused with the nearest right name.

**Examples**

```text
recbole-medmoe --model BPR --dataset ml-100k --epochs=5 --learning_rate=0.01

one table, each model tested against the first:
recbole-medmoe --model MedMoE,MoEOnly,LLMOnly --dataset healthfood --seeds 0,1,2

a teacher is trained, or an equal finished run of it taken, and its student learns from it:
recbole-medmoe --model LEADERStudent --teacher LEADERTeacher --dataset eicu-demo

one model for several data sets, scored on each:
recbole-medmoe --model MINGMoE --dataset med-mcq,healthfood,eicu-demo

patients that training has seen, with keys from a file:
recbole-medmoe --model EASE,BPR --dataset healthfood --split warm --config my.yaml

every value and where it comes from, without training:
recbole-medmoe --model MedMoE --dataset healthfood --dry-run

two processes on one run, each with a GPU where there are any:
torchrun --nproc_per_node 2 run_recbole_medmoe.py --model MedMoE --dataset healthfood

your own model:
recbole-medmoe --model my_package.my_module:MyModel --dataset healthfood
```
"""
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
OPTIONS = ("--model", "--dataset", "--split", "--seeds", "--config", "--dry-run", "--runs-dir", "--teacher",
           "--profile")
_KEY = re.compile(r"--[A-Za-z_][A-Za-z0-9_]*=")


def run(
    context: typer.Context,
    model: Annotated[str, typer.Option(
        "--model", "-m", metavar="M[,M2...]", help="Model, or several with commas: the first is the reference.")] = "",
    dataset: Annotated[str, typer.Option(
        "--dataset", "-d", metavar="NAME[,N2...]", help="Data set: a packaged one, ml-100k, or one under data_path; "
        "several with commas are trained on together, by a model that can.")] = "",
    split: Annotated[str, typer.Option(
        "--split", metavar="NAME", help="Which pre-split files; default: the data set's own default. 'folds' runs "
        "fold0, fold1 ... and scores every row once.")] = "",
    seeds: Annotated[str, typer.Option(
        "--seeds", metavar="0,1,2", help="One run per model and seed; rows are averaged over seeds first.")] = "",
    config: Annotated[list[Path], typer.Option(
        "--config", "-c", metavar="FILE", help="YAML file of keys, or a packaged variant of a model such as "
        "LEADERStudent.released; may be repeated, later files win.")] = [],
    config_files: Annotated[str, typer.Option(
        "--config_files", metavar='"A B"', help="RecBole's spelling: several files in one quoted string.")] = "",
    teacher: Annotated[str, typer.Option(
        "--teacher", metavar="T", help="Teacher of a student model: a model that is trained first, the folder of a "
        "finished run, or a file of its states.")] = "",
    runs_dir: Annotated[Path | None, typer.Option(
        "--runs-dir", metavar="DIR", help="Where the run folders go; default: the key runs_dir (runs).")] = None,
    profile: Annotated[bool, typer.Option(
        "--profile", help="Leave a trace of the first 20 batches, trace.json.gz, in each run folder.")] = False,
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="Check everything, print each value and where it comes from, and stop.")] = False,
) -> None:
    """Checks the arguments, then trains or prints."""
    argv = check_keys(context.args) + ([f"--teacher={teacher}"] if teacher else [])
    argv += ["--profile=true"] if profile else []
    names = check_names(model, dataset, argv)
    files = [*config, *(Path(name) for name in shlex.split(config_files))]
    numbers = parse_seeds(seeds, argv)
    from ..quick_start import compare, configurations

    if dry_run:
        _print_configurations(configurations(names, dataset, seeds=numbers, split=split or None, files=files,
                                             argv=argv))
        return
    compared = compare(names, dataset, seeds=numbers, split=split or None, files=files, argv=argv, runs_dir=runs_dir,
                       command=shlex.join([PROGRAM, *context.obj]))
    if not is_main():   # the first of several processes writes and tells
        return
    from ..bench.reading import sections_of
    from ..bench.terminal import print_section

    for section in sections_of(compared.folders):
        print_section(section, console())
    place = compared.folders[0].parents[1]
    kept = compared.folders[0] if len(compared.folders) == 1 else place
    say(f"\nKept in {kept}    A page of all runs there: {PROGRAM} report {place} --html {place / 'report.html'}")


def check_keys(words: Sequence[str], options: Sequence[str] = OPTIONS) -> list[str]:
    """Returns the ``--key=value`` words.

    Args:
        words: what no option of the command took.
        options: the command's own options, for the sake of misspelt ones.

    Raises:
        ConfigError: words of another form, all of them, with what was probably meant.
    """
    faults = []
    for word in words:
        if _KEY.match(word):
            continue
        if word.startswith("--"):
            name = word.split("=", 1)[0]
            hint = nearest(name, options) if "did you mean" in nearest(name, options) else ""
            faults.append(f"'{word}': write a key as --key=value{hint}")
        else:
            faults.append(f"'{word}' stands alone: write a key and its value as one word, --key=value")
    if faults:
        raise ConfigError(faults)
    return list(words)


def check_names(model: str, dataset: str, argv: Sequence[str]) -> list[str]:
    """Returns the model names; a missing option is named together with a key that looks like it."""
    faults = []
    for option, value in (("--model", model), ("--dataset", dataset)):
        if value:
            continue
        keys = [word.split("=", 1)[0] for word in argv]
        meant = [key for key in keys if f"'{option}'" in nearest(key, OPTIONS)]
        faults.append(f"{option} is missing" + (f" ('{meant[0]}' is no option; did you mean '{option}'?)" if meant
                                                else f", e.g. {option} "
                                                + ("MedMoE" if option == "--model" else "healthfood")))
    names = [name.strip() for name in model.split(",") if name.strip()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        faults.append(f"--model names {', '.join(twice)} twice")
    if faults:
        raise ConfigError(faults)
    return names


def parse_seeds(seeds: str, argv: Sequence[str]) -> list[int] | None:
    """``"0,1,2"`` to numbers; None where only the configuration's seed is meant."""
    if not seeds:
        return None
    if any(word.startswith("--seed=") for word in argv):
        raise ConfigError(["give --seeds or --seed, not both"])
    words = [word.strip() for word in seeds.split(",")]
    if not all(word.isdecimal() for word in words):
        raise ConfigError([f"--seeds {seeds}: whole numbers from 0 on with commas between them, e.g. --seeds 0,1,2"])
    numbers = [int(word) for word in words]
    if len(set(numbers)) < len(numbers):
        raise ConfigError([f"--seeds {seeds}: the same seed twice"])
    return numbers


def _print_configurations(trainings: Sequence[Sequence[MedConfig]]) -> None:
    """One table for each model and data set: seeds and folds share the rest."""
    shown: dict[tuple[str, str], MedConfig] = {}
    for config in (config for training in trainings for config in training):
        shown.setdefault((config.spec.name, config.dataset), config)
    for config in shown.values():
        rows = [[key, str(value), origin] for key, value, origin in config.table()]
        title = f"{config.spec.name} on {config.dataset}" + (f", split {config.split}" if config.split else "")
        console().print(table(title, ["key", "value", "origin"], rows))
