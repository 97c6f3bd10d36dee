"""``run``: one model, trained and scored once on test, and all that it leaves."""
from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, Mapping, Sequence

from ..compat import apply

apply()

from .. import processes  # noqa: E402  (RecBole needs `apply` first)
from ..config import MedConfig  # noqa: E402
from ..store import GpuBusy, PeakMemory  # noqa: E402
from .assembling import assemble, naming_packages  # noqa: E402
from .collaborating import find_vectors  # noqa: E402
from .distilling import find_teaching  # noqa: E402
from .fitness import check_fitness  # noqa: E402
from .job import Job, RunResult, timed  # noqa: E402
from .predictions import Predictions  # noqa: E402

__all__ = ["RunResult", "command_of", "run", "run_config", "with_seed"]


def run(model: str, dataset: str, *, split: str | None = None, seed: int | None = None, files: Sequence[Path] = (),
        argv: Sequence[str] = (), overrides: Mapping[str, Any] | None = None, runs_dir: Path | None = None,
        command: str | None = None) -> RunResult:
    """Trains one model, scores it once on test, and leaves a run folder.

    Args:
        model: a name of ``recbole-medmoe list models``, or ``package.module:Class``.
        dataset: a packaged data set, ``ml-100k``, or one under the key ``data_path``.
        split: which pre-split files; None takes the data set's default.
        seed: None takes the configuration's.
        files: YAML files of keys, later ones win.
        argv: ``--key=value`` strings, which win over files and overrides.
        overrides: keys and values from Python.
        runs_dir: where run folders go; None takes the key ``runs_dir``.
        command: the command line to note in the record.

    Raises:
        ConfigError, DataError, FeatureBankError, MissingPackageError, TrainingError: each names its remedy.

    Example:
        >>> result = run("Pop", "ml-100k")  # doctest: +SKIP
        >>> result.record["evaluation"]["metrics"]["recall@10"]  # doctest: +SKIP
    """
    config = MedConfig(model, dataset, split=split, files=files, argv=argv, overrides=with_seed(overrides, seed))
    return run_config(config, runs_dir=runs_dir, command=command)


def with_seed(overrides: Mapping[str, Any] | None, seed: int | None) -> dict[str, Any]:
    """Overrides with the seed in them, where one is given."""
    return {**(overrides or {}), **({} if seed is None else {"seed": seed})}


def run_config(config: MedConfig, *, runs_dir: Path | None = None, command: str | None = None,
               predictions: Predictions | None = None) -> RunResult:
    """`run` for a configuration that is already made; ``predictions`` of an outside system take a model's place."""
    check_fitness([config.spec], config.dataset_folder, config.split, config.labels)
    processes.join(config["device"])
    # Worked out by free memory, which processes see differently; they deal out the same batches.
    config["eval_batch_size"] = int(processes.broadcast(str(config["eval_batch_size"])))
    job = Job(config, Path(runs_dir or config["runs_dir"]), command or command_of(config))
    teaching = find_teaching(config, job.runs_dir, run_config)   # a teacher's training is a run of its own
    job.facts.teacher = None if teaching is None else teaching.told()
    vectors = find_vectors(config, job.runs_dir, run_config)
    job.facts.collaborative = [found.told() for found in vectors]
    job.facts.imported = None if predictions is None else predictions.told()
    job.begin()
    device = str(config["device"])
    with PeakMemory(device) as memory, GpuBusy(device) as busy, naming_packages(config.spec.name):
        with processes.main_first():   # it encodes what is not there yet, for all
            job.take(assemble(config, teaching, vectors) if predictions is None else predictions.assemble(config))
        with timed(job.facts.seconds, "training"), job.on_failure():
            _, job.facts.valid = job.trainer.fit(job.train, job.valid, show_progress=config["show_progress"])
            job.choose_threshold()
        job.score()
    job.facts.peak_memory_mib, job.facts.gpu_busy = memory.mib, busy.share
    return job.save()


def command_of(config: MedConfig) -> str:
    """The command line that makes this run again."""
    known = config.resolved()
    words = ["recbole-medmoe", "--model", known["model"], "--dataset", known["dataset"]]
    words += ["--split", config.split] if config.split else []
    given = {"seed", *(key for key, origin in config.origins.items() if origin in ("overrides", "command line"))}
    words += [f"--{key}={json.dumps(known[key])}" for key in sorted(given & set(known) - {"model", "dataset", "split"})]
    return shlex.join(words)
