"""The searches that suites ask for: the same budget for every row, before any of its runs."""
from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any, Callable, Sequence

from ..config import MedConfig
from ..config.assemble import given_values
from ..errors import ConfigError, TrainingError
from .engine import Engine, Failure
from .jobs import Cell, Tuned, cells_of
from .search import Budget, Search, SearchedElsewhere
from .suite import Row, Suite

__all__ = ["Wanted", "needed_searches", "run_searches"]
_WAIT = 5.0   # seconds between two looks at a search that another process does
Place = tuple[str, str, str]


class Wanted:
    """One search, and the places of suites that take its values.

    Attributes:
        search: checked and ready.
        budget: of the suite.
        places: names of suite, row and split.
    """

    def __init__(self, search: Search, budget: Budget) -> None:
        self.search, self.budget = search, budget
        self.places: list[Place] = []


def needed_searches(suites: Sequence[Suite], runs_dir: Path) -> list[Wanted]:
    """A search per row and split of the suites that have a budget; rows that ask for the same share one.

    Images and shares of the training data are conditions of the runs, not of the search; of several label variants it
    takes the first one.

    Args:
        suites: as `load_suites` gives them.
        runs_dir: where searches are kept, in ``searches``.

    Raises:
        ConfigError: all faults of all rows.
    """
    found: dict[str, Wanted] = {}
    faults: list[str] = []
    for suite in suites:
        seen: set[tuple[str, str]] = set()
        for cell, row in cells_of(suite):
            if suite.search is None or (cell.row, cell.split) in seen:
                continue
            seen.add((cell.row, cell.split))
            try:
                name = json.dumps([_asked(suite, cell, row), suite.search.model_dump()], sort_keys=True, default=str)
                if name not in found:
                    budget = Budget(suite.search.trials, suite.search.minutes)
                    found[name] = Wanted(_search(suite, cell, row, runs_dir), budget)
                found[name].places.append((suite.name, cell.row, cell.split))
            except ConfigError as error:
                faults += [f"{suite.name}, search: rows, {cell.row}: {fault}" for fault in error.faults]
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    return list(found.values())


def _asked(suite: Suite, cell: Cell, row: Row) -> dict[str, Any]:
    """What a row's configuration is made of, without a search."""
    assert suite.search is not None
    labels = {} if cell.labels is None else {"labels": cell.labels}
    return {"model": row.model or cell.row, "dataset": suite.dataset, "split": suite.search.split or cell.split,
            "overrides": {**suite.settings, **given_values(row.config), **row.overrides, **labels}}


def _search(suite: Suite, cell: Cell, row: Row, runs_dir: Path) -> Search:
    assert suite.search is not None
    asked = _asked(suite, cell, row)
    digest = hashlib.sha256(json.dumps([asked, suite.search.seed, suite.search.algorithm], sort_keys=True,
                                       default=str).encode()).hexdigest()[:10]

    def folder(base: MedConfig) -> Path:
        return runs_dir / "searches" / suite.dataset / (base.split or "own") / f"{base.spec.name}-{digest}"

    return Search.prepare(asked["model"], asked["dataset"], split=asked["split"] or None, seed=suite.search.seed,
                          algorithm=suite.search.algorithm, overrides=asked["overrides"], folder=folder)


def run_searches(wanted: Sequence[Wanted], engine: Engine, tell: Callable[[str], None]) -> tuple[Tuned, list[Failure]]:
    """Does what is left of each search, and waits for those that another process does.

    Args:
        wanted: as `needed_searches` gives them.
        engine: carries out the trials.
        tell: takes one line per trial.

    Returns:
        What `make_plan` takes, and the searches that found nothing.
    """
    tuned: dict[Place, dict[str, Any] | None] = {}
    failures: list[Failure] = []
    left = list(wanted)
    while left:
        busy = []
        for one in left:
            name = f"search of {', '.join(dict.fromkeys(row for _, row, _ in one.places))}"
            try:
                outcome = one.search.run(engine, one.budget, resume=True, exact=True, tell=tell)
            except SearchedElsewhere:
                busy.append(one)
                continue
            except TrainingError as error:
                failures.append(Failure(name, str(error), None))
                tuned |= {place: None for place in one.places}
                continue
            outcome.write()
            values = outcome.overrides() if outcome.best is not None or not one.search.space.keys else None
            if values is None:
                failures.append(Failure(name, f"no trial finished; see {outcome.folder / 'trials.jsonl'}", None))
            tuned |= {place: values for place in one.places}
        if len(busy) == len(left):
            tell(f"waiting for {len(busy)} searches that another process does")
            time.sleep(_WAIT)
        left = busy
    return tuned, failures
