"""Options that say where jobs run: processes here, one per GPU, or the workers of a cluster."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..bench.engine import Engine

EngineOption = Annotated[str, typer.Option("--engine", metavar="local|dask", help="Where jobs run.")]
SchedulerOption = Annotated[str, typer.Option(
    "--scheduler", metavar="ADDRESS", help="Dask scheduler for --engine dask, e.g. tcp://host:8786.")]
GpusOption = Annotated[str, typer.Option(
    "--gpus", metavar="auto|0,1", help="One job at a time on each of these GPUs; with --engine dask: auto, only "
    "workers that have one.")]
JobsOption = Annotated[int, typer.Option(
    "--jobs", metavar="N", help="Jobs at once where no GPUs are named; they share the CPU's threads.")]


def make_engine(engine: str, scheduler: str, gpus: str, jobs: int, folder: Path) -> Engine:
    """The engine that the options ask for.

    Args:
        engine, scheduler, gpus, jobs: the options.
        folder: where runs go.

    Raises:
        ConfigError: options that do not go together, all faults at once; GPUs that are not there.
    """
    faults = [] if engine in ("local", "dask") else [f"--engine {engine}: valid: local, dask"]
    if engine == "dask":
        faults += [] if scheduler else ["--scheduler is missing, e.g. --scheduler tcp://host:8786"]
        faults += [] if gpus in ("", "auto") else ["--gpus with --engine dask is auto: each worker offers its own"]
        faults += [] if jobs == 1 else ["--jobs is for --engine local: a cluster takes as many as its workers offer"]
    else:
        faults += ["--scheduler is for --engine dask"] if scheduler else []
        faults += ["give --gpus or --jobs, not both: each GPU takes one job"] if gpus and jobs != 1 else []
        faults += [f"--jobs {jobs}: a whole number from 1"] if jobs < 1 else []
    devices = _devices(gpus, faults) if engine == "local" and gpus else []
    if faults:
        raise ConfigError(faults)
    if engine == "dask":
        from ..bench.cluster import DaskEngine

        return DaskEngine(folder, scheduler, on_gpus=bool(gpus))
    from ..bench.engine import LocalEngine

    return LocalEngine(folder, devices, jobs)


def _devices(gpus: str, faults: list[str]) -> list[str]:
    """Names of the GPUs asked for, as torch has them."""
    import torch

    count = torch.cuda.device_count()
    words = [str(number) for number in range(count)] if gpus == "auto" else [word.strip() for word in gpus.split(",")]
    if not all(word.isdecimal() for word in words):
        faults.append(f"--gpus {gpus}: write auto, or numbers with commas between them, e.g. --gpus 0,1")
        return []
    if len(set(words)) < len(words):
        faults.append(f"--gpus {gpus}: the same GPU twice")
    lacking = [word for word in words if int(word) >= count]
    if lacking or not words:
        faults.append(f"--gpus {gpus}: torch sees {count} GPU{'' if count == 1 else 's'}"
                      + (", counted from 0" if count else "; leave --gpus out to run on the CPU"))
    return [f"cuda:{int(word)}" for word in words]
