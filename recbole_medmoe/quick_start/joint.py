"""``run_joint``: one model trained on several data sets together, scored on each by its own protocol."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config import MedConfig
from ..errors import ConfigError
from ..evaluation.probe import task_probe
from ..registry import find_model
from ..processes import count
from ..store import GpuBusy, PeakMemory
from ..trainer.joint import JointTrainer
from .assembling import build, load_data, naming_packages
from .fitness import check_fitness
from .job import Job, RunResult, timed


def check_joint(model: str, names: Sequence[str]) -> None:
    """Refuses data sets that a model is not trained on together.

    Raises:
        ConfigError: the model takes one data set, one is named twice, or there are several processes.
    """
    faults = [f"--dataset names {name} twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if not getattr(find_model(model).load(), "joint", False):
        faults.append(f"{model} is trained on one data set; name one of {', '.join(names)}, or take a model that "
                      "is trained on several together, e.g. MINGMoE")
    if count() > 1:
        faults.append("several data sets together are trained in one process; run them without torchrun")
    if faults:
        raise ConfigError(faults)


def run_joint(configs: Sequence[MedConfig], runs_dir: Path | None = None, command: str = "") -> list[RunResult]:
    """Trains one model on several data sets, and scores it once on each one's test rows.

    Args:
        configs: of the same model, one per data set, each with the others in ``trained_with``.
        runs_dir: where run folders go; None takes the key ``runs_dir``.
        command: the command line to note in the records.

    Returns:
        A result for each data set, with a folder and a record of its own; the weights in them are those of one model,
        and each record names the others in ``run.joint``.

    Raises:
        As `run`.
    """
    for config in configs:
        check_fitness([config.spec], config.dataset_folder, config.split, config.labels)
    jobs = [Job(config, Path(runs_dir or config["runs_dir"]), command) for config in configs]
    device = str(configs[0]["device"])
    with PeakMemory(device) as memory, GpuBusy(device) as busy, naming_packages(configs[0].spec.name):
        _build(jobs)
        joint = JointTrainer([job.trainer for job in jobs])
        first = jobs[0]
        with timed(first.facts.seconds, "training"), first.on_failure():
            valid = joint.fit_all([job.train for job in jobs], [job.valid for job in jobs],
                                  show_progress=first.config["show_progress"])
        members = [{"dataset": job.config["dataset"], "run": job.run_id} for job in jobs]
        probe = _probe(jobs)
        for job, told in zip(jobs, valid):
            job.facts.seconds["training"] = first.facts.seconds["training"]
            job.facts.valid, job.facts.joint, job.facts.probe = told, members, probe
            job.choose_threshold()
            job.score()
    for job in jobs:
        job.facts.peak_memory_mib, job.facts.gpu_busy = memory.mib, busy.share
    return [job.save() for job in jobs]


def _build(jobs: Sequence[Job]) -> None:
    """Models around one language model, which knows the tasks of all data sets."""
    labels: list[str] = []
    loaders = []
    for job in jobs:
        job.begin()
        loaders.append(load_data(job.config))
        kind: Any = job.config.spec.load()
        labels += [label for label in kind.labels(loaders[-1][0]._dataset, job.config.params)
                   if label not in labels]
    jobs[0].take(build(jobs[0].config, loaders[0], labels=labels))
    for job, parts in zip(jobs[1:], loaders[1:]):
        job.take(build(job.config, parts, llm=jobs[0].model.llm))


def _probe(jobs: Sequence[Job]) -> dict[str, float | int]:
    """How well a bag of words guesses the data set from the prompt alone."""
    train: list[tuple[str, str]] = []
    test: list[tuple[str, str]] = []
    for job in jobs:
        for part, rows in ((job.train, train), (job.test, test)):
            rows += [(prompt, job.config["dataset"]) for prompt, _ in job.prompts(part)]
    return task_probe(train, test)
