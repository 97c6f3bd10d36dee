"""From suites to jobs: one per configuration, seed and data content; what several suites ask for runs once."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

from ..atomic import data_sha256, is_credentialed
from ..config import MedConfig
from ..config.assemble import given_values
from ..errors import ConfigError, MedMoEError, MissingPackageError, nearest
from ..quick_start.collaborating import small_configs
from ..quick_start.finished import Key
from ..quick_start.fitness import misfits
from ..registry import ModelSpec
from .engine import Order
from .suite import Row, Suite

__all__ = ["Cell", "Job", "Plan", "Tuned", "cells_of", "make_plan"]


Tuned = Mapping[tuple[str, str, str], Mapping[str, Any] | None]
"""Names of suite, row and split to the keys that a search found; None where it found none."""


class Cell(NamedTuple):
    """One place of a suite: a row under one condition; its runs differ in the seed only.

    Without a name of a ``split`` the data set is split as its configuration says.
    """

    row: str
    split: str
    labels: str | None = None
    train_share: float = 1.0
    images: str = "catalogue"


@dataclass(frozen=True)
class Job:
    """One run to be made, and what to call it; ``private`` where its data are derived from credentialed ones."""

    key: Key
    cell: Cell
    model: str
    dataset: str
    overrides: Mapping[str, Any]
    private: bool = False

    def order(self, profile: bool = False) -> Order:
        """What a process is asked for.

        Args:
            profile: with a trace of its first steps.
        """
        values = {"model": self.model, "dataset": self.dataset, "split": self.cell.split,
                  "overrides": {**self.overrides, "seed": self.key.seed}, "private": self.private, "profile": profile}
        return Order(str(self), "run", values)

    def __str__(self) -> str:
        told = [self.cell.row, *([self.cell.split] if self.cell.split else [])]
        told += [f"labels {self.cell.labels}"] if self.cell.labels else []
        told += [f"train_share {self.cell.train_share:g}"] if self.cell.train_share != 1 else []
        told += [f"images {self.cell.images}"] if self.cell.images != "catalogue" else []
        return ", ".join([*told, f"seed {self.key.seed}"])


@dataclass
class Plan:
    """All jobs of some suites, and which of them each cell of each suite is made of.

    Attributes:
        jobs: in the order of the suites.
        cells: suite's name to cell to seed to key.
    """

    jobs: dict[Key, Job] = field(default_factory=dict)
    cells: dict[str, dict[Cell, dict[int, Key]]] = field(default_factory=dict)

    def found(self, folder_of: Callable[[Key], Path | None]) -> dict[str, dict[Cell, dict[int, Path]]]:
        """Run folders in the place of keys; what is not finished is left out."""
        return {name: {cell: {seed: folder for seed, key in seeds.items() if (folder := folder_of(key)) is not None}
                       for cell, seeds in cells.items()} for name, cells in self.cells.items()}


def cells_of(suite: Suite) -> Iterator[tuple[Cell, Row]]:
    """Every cell of a suite with its row, split by split."""
    for split in suite.splits:
        for label, row in suite.rows.items():
            if row.splits is None or split in row.splits:
                for variant in row.labels or suite.labels:
                    for share in row.train_share or suite.train_share:
                        for images in row.images or suite.images:
                            yield Cell(label, split, variant, share, images), row


def make_plan(suites: Sequence[Suite], faults: Sequence[str] = (), tuned: Tuned | None = None) -> Plan:
    """Expands suites to jobs; every configuration is made, and so checked, before anything runs.

    Args:
        suites: as `load_suites` gives them.
        faults: those of the files, to be told together with the configurations'.
        tuned: what searches found; a row whose search found nothing is left out. None takes the rows as they stand.

    Raises:
        ConfigError: all faults of all suites at once.
    """
    planner = _Planner()
    plan = Plan()
    found = list(faults)
    for suite in suites:
        cells = plan.cells.setdefault(suite.name, {})
        for cell, row in cells_of(suite):
            found_values = {} if tuned is None else tuned.get((suite.name, cell.row, cell.split), {})
            if found_values is None:
                continue
            made = planner.prepare(suite, cell, row, found_values)
            if made is None:
                continue
            unseeded, overrides, private = made
            for seed in suite.seeds:
                key = unseeded._replace(seed=seed)
                plan.jobs.setdefault(key, Job(key, cell, row.model or cell.row, suite.dataset, overrides, private))
                cells.setdefault(cell, {})[seed] = key
        found += [f"{suite.name}: {fault}" for fault in planner.faults_of(suite)]
    if found:
        raise ConfigError(list(dict.fromkeys(found)))
    return plan


class _Planner:
    """Makes each configuration once, and notes what is wrong with it."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[MedConfig, Key] | MedMoEError] = {}
        self._contents: dict[tuple[Path, str | None, str | None], tuple[str, bool]] = {}
        self._faults: dict[str, set[str]] = {}
        self._specs: dict[tuple[Path, str | None, str | None], dict[str, ModelSpec]] = {}

    def prepare(self, suite: Suite, cell: Cell, row: Row,
                tuned: Mapping[str, Any]) -> tuple[Key, dict[str, Any], bool] | None:
        """The key, without a seed yet, the overrides, and whether the data are derived from credentialed ones; None
        where there are faults."""
        try:
            overrides = {**suite.settings, **tuned, **given_values(row.config), **row.overrides}
        except ConfigError as error:
            for fault in error.faults:
                self._faults.setdefault(fault, set()).add(cell.row)
            return None
        # Defaults stay unsaid: a run keeps the command that makes it again.
        overrides |= {"labels": cell.labels} if cell.labels is not None else {}
        overrides |= {"train_share": cell.train_share} if cell.train_share != 1 else {}
        overrides |= {"images": cell.images} if cell.images != "catalogue" else {}
        made = self._config(row.model or cell.row, suite.dataset, cell.split, overrides)
        if isinstance(made, MedMoEError):
            for fault in made.faults if isinstance(made, ConfigError) else [str(made)]:
                self._faults.setdefault(fault, set()).add(cell.row)
            return None
        config, key = made
        self._note_metrics(suite, config)
        folder = config.dataset_folder
        place = (folder, config.split, config.labels)
        self._specs.setdefault(place, {})[config.spec.name] = config.spec
        if place not in self._contents:
            self._contents[place] = data_sha256(folder, config.split, config.labels), is_credentialed(folder)
        content, private = self._contents[place]
        return key._replace(data_sha256=content), overrides, private

    def _config(self, model: str, dataset: str, split: str, overrides: Mapping[str, Any],
                ) -> tuple[MedConfig, Key] | MedMoEError:
        name = json.dumps([model, dataset, split, overrides], sort_keys=True, default=str)
        if name not in self._made:
            try:
                config = MedConfig(model, dataset, split=split or None, overrides=overrides)
                small_configs(config)   # so that their faults are told before anything runs
                self._made[name] = config, Key.of(config, data="")
            except (ConfigError, MissingPackageError) as error:
                self._made[name] = error
        return self._made[name]

    def _note_metrics(self, suite: Suite, config: MedConfig) -> None:
        names = [metric.lower() for metric in config["metrics"]]
        computed = {f"{name}@{cut}" for name in names for cut in config["topk"]} | set(names)
        for metric in suite.metrics:
            if metric not in computed:
                self._faults.setdefault(f"metrics: '{metric}' is not computed{nearest(metric, computed)}",
                                        set()).update(suite.rows)

    def faults_of(self, suite: Suite) -> list[str]:
        """What `prepare` found since the last call; a fault that every row has is told once, without their names."""
        found = [fault if len(labels) == len(suite.rows) else f"rows, {', '.join(sorted(labels))}: {fault}"
                 for fault, labels in self._faults.items()]
        for (folder, split, labels), specs in self._specs.items():
            found += misfits(list(specs.values()), folder, split, labels)
        self._faults, self._specs = {}, {}
        return found
