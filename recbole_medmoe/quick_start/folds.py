"""``--split folds``: a run for each fold, each tuned by itself; their test rows together score every patient once."""
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from .. import paths
from ..errors import ConfigError
from ..evaluation import group_table
from ..evaluation.ratios import means
from .record import config_sha256
from .stored import StoredRun

FOLDS = "folds"


def need_folds(folder: Path) -> list[str]:
    """The folds that ``--split folds`` runs.

    Raises:
        ConfigError: the data set offers none.
    """
    found = paths.dataset_folds(folder)
    if not found:
        offered = ", ".join(paths.dataset_splits(folder)) or "no split"
        raise ConfigError([f"--split {FOLDS}: data set '{folder.name}' has no splits fold0, fold1 ...; it offers "
                           f"{offered}"])
    return found


def join_folds(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Puts the runs of all folds of one model, configuration and seed in the place of the single ones.

    A fold whose fellows are not all there stays as it is. Runs without values per row stay too.
    """
    gathered: dict[tuple[Any, ...], dict[str, StoredRun]] = {}
    for run in runs:
        if _told_folds(run) and run.columns:
            gathered.setdefault(_key(run), {})[run.record["data"]["split"]] = run
    whole = {key: found for key, found in gathered.items()
             if set(found) == set(_told_folds(next(iter(found.values()))))}
    kept = [run for run in runs if not (_told_folds(run) and run.columns and _key(run) in whole)]
    return kept + [_joined([found[split] for split in sorted(found)]) for found in whole.values()]


def _told_folds(run: StoredRun) -> list[str]:
    """All folds of the data set that a run on a fold belongs to; none for other runs."""
    return list(run.record["data"]["statistics"].get(FOLDS, ()))


def _key(run: StoredRun) -> tuple[Any, ...]:
    config = {key: value for key, value in run.record["model"]["config"].items() if key != "split"}
    return (run.record["data"]["name"], run.record["model"]["name"], config_sha256(config),
            run.record["training"]["seed"])


def _joined(runs: Sequence[StoredRun]) -> StoredRun:
    """One run over the test rows of all folds; its record is for reading and is nowhere written."""
    first = runs[0].record
    names = [name for name in runs[0].columns if all(name in run.columns for run in runs)]
    columns = {name: np.concatenate([run.columns[name] for run in runs]) for name in names}
    rows, patients = (np.concatenate([getattr(run, name) for run in runs]) for name in ("rows", "clusters"))
    groups = {name: np.concatenate([run.groups.get(name, np.zeros(len(run.rows), dtype=bool)) for run in runs])
              for name in _all_names(run.groups for run in runs)}
    found = means(columns)
    # Of the metrics without values per row, only those stay that are not known in any case (no list of interactions).
    metrics = {name: found.get(name) for name, value in first["evaluation"]["metrics"].items()
               if name in found or value is None}
    lines = group_table(columns, groups, min_group=first["model"]["config"]["min_group"], clusters=patients)
    evaluations = [run.record["evaluation"] for run in runs]
    evaluations[0] = {name: value for name, value in evaluations[0].items() if name != "rounds"}   # of one fold only
    evaluation = {**evaluations[0], "metrics": metrics, "threshold": None,
                  "groups": {name: {"n": int(line.n), "metrics": line.metrics} for name, line in lines.items()},
                  "thresholds": [one["threshold"] for one in evaluations],
                  "seconds": sum(one["seconds"] for one in evaluations)}
    if "written" in first["evaluation"]:
        evaluation["written"] = {name: sum(one["written"][name] for one in evaluations)
                                 for name in first["evaluation"]["written"]}
    trainings = [run.record["training"] for run in runs]
    training = {**trainings[0], "seconds": sum(one["seconds"] for one in trainings),
                "peak_memory_mib": max((one["peak_memory_mib"] or 0.0) for one in trainings)}
    record = {**first, "data": _data([run.record["data"] for run in runs]), "evaluation": evaluation,
              "training": training, "routing": None}
    return StoredRun(runs[0].folder, record, rows, columns, groups,
                     None if runs[0].patients is None else patients)


def _all_names(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in groups for name in one))


def _data(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a record says of the data, of all folds together."""
    content = "".join(f"{part['split']} {part['sha256']}\n" for part in parts)
    rows = {"train": round(float(np.mean([part["rows"]["train"] for part in parts]))),
            "valid": round(float(np.mean([part["rows"]["valid"] for part in parts]))),
            "test": sum(part["rows"]["test"] for part in parts)}
    told = (f"{len(parts)} folds by patient; every row is scored once, by the model of its fold, whose best epoch and "
            "threshold were chosen inside the fold; training and validation interactions are means over folds")
    return {**parts[0], "split": FOLDS, "sha256": hashlib.sha256(content.encode()).hexdigest(), "rows": rows,
            "statistics": {**parts[0]["statistics"], "split_description": told}}
