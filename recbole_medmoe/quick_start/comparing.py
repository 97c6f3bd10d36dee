"""``compare``: several models on the same rows, seeds averaged per row, each against the first."""
from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from ..compat import apply

apply()

from ..config import MedConfig  # noqa: E402
from ..errors import ConfigError, DataError  # noqa: E402
from ..evaluation import Comparison  # noqa: E402
from ..evaluation import compare as compare_rows  # noqa: E402
from .collaborating import small_configs  # noqa: E402
from .distilling import check_teacher  # noqa: E402
from .fitness import check_fitness  # noqa: E402
from .folds import FOLDS, join_folds, need_folds  # noqa: E402
from .joint import check_joint, run_joint  # noqa: E402
from .running import command_of, run_config, with_seed  # noqa: E402
from .stored import Content, StoredRun  # noqa: E402


@dataclass(frozen=True)
class Compared:
    """What `compare` gives back: the run folders, and their statistics on first use."""

    folders: tuple[Path, ...]

    @cached_property
    def comparison(self) -> Comparison | None:
        """Intervals and tests; None where the metrics have no values per row (AUC, LogLoss ...)."""
        return compare_runs(join_folds([StoredRun.read(folder) for folder in self.folders]))


def compare(models: Sequence[str], dataset: str, *, seeds: Sequence[int] | None = None, split: str | None = None,
            files: Sequence[Path] = (), argv: Sequence[str] = (), overrides: Mapping[str, Any] | None = None,
            per_model: Mapping[str, Mapping[str, Any]] | None = None, runs_dir: Path | None = None,
            command: str | None = None) -> Compared:
    """Runs every model with every seed and compares each model with the first.

    All configurations are made and checked before the first run starts, see `configurations`.

    Args:
        models: names; the first is the reference.
        dataset: as in `run`, or several names with commas: each model is trained on all of them together, and leaves a
            run for each, see `run_joint`.
        files, argv, overrides, runs_dir, command: as in `run`.
        split: as in `run`, or ``folds``: a run for each of ``fold0``, ``fold1`` ..., whose rows are compared together.
        seeds: None takes the configuration's single seed.
        per_model: keys and values of single models, which win over ``overrides``.

    Raises:
        ConfigError: all faults of all models at once; the other errors of `run`.
    """
    trainings = configurations(models, dataset, seeds=seeds, split=split, files=files, argv=argv, overrides=overrides,
                               per_model=per_model)
    folders: list[Path] = []
    for number, configs in enumerate(trainings, start=1):
        first = configs[0]
        if len(trainings) > 1 or len(configs) > 1:
            told = f", {first.split}" if split == FOLDS else ""
            told += f", {' + '.join(config.dataset for config in configs)}" if len(configs) > 1 else ""
            print(f"[{number}/{len(trainings)}] {first.spec.name}, seed {first['seed']}{told}", file=sys.stderr,
                  flush=True)
        if len(configs) > 1:
            folders += [result.folder for result in run_joint(configs, runs_dir, command or command_of(first))]
        else:
            folders.append(run_config(first, runs_dir=runs_dir, command=command).folder)
    return Compared(tuple(folders))


def configurations(models: Sequence[str], dataset: str, *, seeds: Sequence[int] | None = None, split: str | None = None,
                   files: Sequence[Path] = (), argv: Sequence[str] = (), overrides: Mapping[str, Any] | None = None,
                   per_model: Mapping[str, Mapping[str, Any]] | None = None) -> list[list[MedConfig]]:
    """What `compare` trains: one list for each training, with several configurations where data sets are joint.

    Raises:
        ConfigError: all faults of all models at once; among them models that the split offers nothing.
    """
    given: dict[str, Any] = {"files": files, "argv": argv}
    own = {name: {**(overrides or {}), **(per_model or {}).get(name, {})} for name in models}
    if "," in dataset:
        return _together(own, [name.strip() for name in dataset.split(",") if name.strip()], seeds, split, given)
    splits: Sequence[str | None] = [split]
    if split == FOLDS:
        first = next(iter(own))
        folder = MedConfig(first, dataset, overrides=own[first], beside=tuple(models), **given).dataset_folder
        splits = need_folds(folder)
    return [[config] for config in _apart(own, dataset, seeds, splits, given)]


def _together(models: Mapping[str, Mapping[str, Any]], datasets: Sequence[str], seeds: Sequence[int] | None,
              split: str | None, given: Mapping[str, Any]) -> list[list[MedConfig]]:
    """Of every model and seed, a configuration for each data set."""
    if split is not None:
        raise ConfigError([f"--split {split} goes with one data set; with several each takes its own default"])
    trainings: list[list[MedConfig]] = []
    for name, overrides in models.items():
        check_joint(name, datasets)
        for seed in seeds if seeds is not None else [None]:
            trainings.append([MedConfig(name, dataset, beside=tuple(models), **given, overrides={
                **with_seed(overrides, seed), "trained_with": [other for other in datasets if other != dataset]})
                for dataset in datasets])
    return trainings


def _apart(models: Mapping[str, Mapping[str, Any]], dataset: str, seeds: Sequence[int] | None,
           splits: Sequence[str | None], given: Mapping[str, Any]) -> list[MedConfig]:
    """Of every model, seed and split."""
    configs: list[MedConfig] = []
    faults: list[str] = []
    for name, overrides in models.items():
        for seed, split in product(seeds if seeds is not None else [None], splits):
            try:
                config = MedConfig(name, dataset, split=split, overrides=with_seed(overrides, seed),
                                   beside=tuple(models), **given)
                if config["teacher"] is not None:
                    check_teacher(config)
                small_configs(config)
                configs.append(config)
            except ConfigError as error:
                faults += error.faults if len(models) == 1 else [f"{name}: {fault}" for fault in error.faults]
                break
    if faults:
        raise ConfigError(merge_faults(faults, list(models)))
    specs = list({config.spec.name: config.spec for config in configs}.values())
    for config in {config.split: config for config in configs}.values():
        check_fitness(specs, config.dataset_folder, config.split, config.labels)
    return configs


def merge_faults(faults: Sequence[str], models: Sequence[str]) -> list[str]:
    """Says a fault that every model has only once, without the models' names."""
    shared = [fault for fault in faults if fault.split(": ", 1)[0] in models]
    bare: dict[str, list[str]] = {}
    for fault in shared:
        model, text = fault.split(": ", 1)
        bare.setdefault(text, []).append(model)
    merged = [text if len(names) == len(models) else f"{', '.join(names)}: {text}" for text, names in bare.items()]
    return [fault for fault in faults if fault not in shared] + merged


def compare_runs(runs: Sequence[StoredRun], reference: str | None = None,
                 labels: Sequence[str] | None = None) -> Comparison | None:
    """Statistics of finished runs on the same rows.

    Args:
        runs: any number of seeds per model.
        reference: label of what the others are compared with; None takes the first run's.
        labels: what to call each run; runs of one label are seeds of one model. None takes the models' names.

    Returns:
        None where some metrics have no values per row.

    Raises:
        DataError: runs on other data, with another list of interactions, of other rows or with another primary metric.
    """
    _check_data(runs)
    if not all(run.columns for run in runs):
        return None
    names = list(labels) if labels is not None else [str(run.record["model"]["name"]) for run in runs]
    by_model: dict[str, list[tuple[np.ndarray, Mapping[str, np.ndarray]]]] = {reference or names[0]: []}
    for name, run in zip(names, runs):
        by_model.setdefault(name, []).append((run.rows, run.columns))
    primaries = {run.primary for run in runs}
    if len(primaries) > 1:
        raise DataError(f"the runs name several primary metrics ({', '.join(sorted(primaries))}); give all the same "
                        "valid_metric")
    clusters = None if runs[0].patients is None else dict(zip(runs[0].rows.tolist(), runs[0].patients.tolist()))
    return compare_rows(by_model, primaries.pop(), clusters=clusters,
                        draws=runs[0].record["model"]["config"]["bootstrap_draws"])


_ALIKE = "; sequential models and others are tested on the same rows with --task=next_item"


def _check_data(runs: Sequence[StoredRun]) -> None:
    """Refuses runs on different data: rows that bear the same names may ask for something else.

    Raises:
        DataError: with each content's hash, what it is of, and the models that ran on it.
    """
    by_content: dict[Content, dict[str, list[str]]] = {}
    lists, ways = {run.content.interactions for run in runs}, {run.content.parted for run in runs}
    for run in runs:
        data, model = run.record["data"], str(run.record["model"]["name"])
        of = f"{data['name']}, split {data['split']}, labels {data.get('labels') or 'its own'}"
        if len(lists) > 1:
            of += f", interactions {run.content.interactions[:16]}" if run.content.interactions else (
                ", no list of interactions")
        if len(ways) > 1:
            of += f", rows parted by {run.content.parted or 'the split'}"
        models = by_content.setdefault(run.content, {}).setdefault(of, [])
        models += [] if model in models else [model]
    if len(by_content) < 2:
        return
    told = "".join(f"\n  - {content.data[:16]} ({of}): {', '.join(models)}" for content, known in by_content.items()
                   for of, models in known.items())
    raise DataError(f"the runs were made on different data and can not be compared (SHA-256 of the content):{told}\n"
                    "Run the models again on one content; splits, label variants and lists of interactions are data of "
                    "their own, so compare the runs of each apart" + _ALIKE * (len(ways) > 1))
