"""Groups of test rows as the records tell them, with intervals from the rows."""
from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from ..evaluation import Interval, compare
from ..quick_start.stored import StoredRun
from .sections import Estimate, Group


def groups_of(by_name: Mapping[str, Sequence[StoredRun]], primary: str) -> tuple[Group, ...]:
    """Every group with the primary metric of each model, seeds averaged.

    Args:
        by_name: model to its runs, all on the same rows.
        primary: metric of the values.

    Returns:
        None where the only groups hold every row: they would repeat the table above.
    """
    found: dict[str, Group] = {}
    for name, runs in by_name.items():
        for group, line in runs[0].record["evaluation"]["groups"].items():
            known = found.get(group, Group(group, line["n"], {}))
            values = [run.record["evaluation"]["groups"][group]["metrics"] for run in runs]
            scores = dict(known.scores)
            if all(value is not None for value in values):
                scores[name] = Estimate(float(np.mean([value[primary] for value in values])))
            found[group] = Group(group.replace("_", " ").replace(": ", ":").replace(":", ": "), line["n"], scores)
    every = len(np.unique(next(iter(by_name.values()))[0].clusters))
    kept = {name: group for name, group in found.items() if group.rows}
    if all(group.rows == every for group in kept.values()):
        return ()
    return tuple(_with_intervals(group, name, by_name, primary) for name, group in kept.items())


def _with_intervals(group: Group, name: str, by_name: Mapping[str, Sequence[StoredRun]], primary: str) -> Group:
    """The same patients are drawn for all models; without values per row a score stays without an interval."""
    inside = {model: [(run, _mask(run, group, name)) for run in by_name[model]] for model in group.scores}
    drawn = _intervals(inside, primary)
    return Group(group.name, group.rows, {
        model: Estimate(known.value, drawn[model].low, drawn[model].high) if model in drawn else known
        for model, known in group.scores.items()})


def _mask(run: StoredRun, group: Group, name: str) -> np.ndarray | None:
    """[N] bool; evidence leaves out the masks of groups that hold every row."""
    if name in run.groups or run.patients is not None or group.rows < len(run.rows):
        return run.groups.get(name)
    return np.ones(len(run.rows), dtype=bool)


def _intervals(by_name: Mapping[str, Sequence[tuple[StoredRun, np.ndarray | None]]], primary: str,
               ) -> dict[str, Interval]:
    """Of each model whose runs all have values per row, and a mask [N] of the rows that are meant."""
    inside = {model: [(run.rows[mask], {primary: run.columns[primary][mask]}) for run, mask in runs if mask is not None]
              for model, runs in by_name.items()
              if all(mask is not None and primary in run.columns for run, mask in runs)}
    if not inside:
        return {}
    head = by_name[next(iter(inside))][0][0]
    clusters = None if head.patients is None else dict(zip(head.rows.tolist(), head.patients.tolist()))
    comparison = compare(inside, primary, clusters=clusters, draws=head.record["model"]["config"]["bootstrap_draws"])
    return {model: comparison[model].intervals[primary] for model in inside}
