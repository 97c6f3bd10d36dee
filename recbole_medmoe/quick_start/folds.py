"""``--split folds``: a run for each fold, each tuned by itself; their test rows together score every patient once."""
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from .. import paths
from ..errors import ConfigError, DataError
from ..evaluation import group_table
from ..evaluation.ratios import means
from .record import config_sha256
from .stored import Content, StoredRun

FOLDS = "folds"
Version = tuple[tuple[str, str], ...]


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

    A fold whose fellows on the same data are not all there stays as it is. Runs without values per row stay too.

    Raises:
        DataError: folds that score a row twice, or records of before that do not tell which folds are of one data set.
    """
    parted = [run for run in runs if _told_folds(run) and run.columns]
    versions = {run.content._replace(data=content): _version(run) for run in parted for _, content in _version(run)}
    gathered: dict[tuple[Any, ...], list[StoredRun]] = {}
    for run in parted:
        gathered.setdefault(_key(run, versions), []).append(run)
    joined, parts = [], set()
    for found in gathered.values():
        by_fold = {run.record["data"]["split"]: run for run in found}   # of equal ones the last
        if set(by_fold) == set(_told_folds(found[0])):
            _check_contents(found)
            joined.append(_joined([by_fold[fold] for fold in sorted(by_fold)]))
            parts |= {id(run) for run in found}
    return [run for run in runs if id(run) not in parts] + joined


def _told_folds(run: StoredRun) -> list[str]:
    """All folds of the data set that a run on a fold belongs to; none for other runs."""
    return list(run.record["data"]["statistics"].get(FOLDS, ()))


def _version(run: StoredRun) -> Version:
    """Name and hash of every fold of the data set that the run was made on; none in a record of before."""
    told = run.record["data"]["statistics"][FOLDS]
    return tuple(sorted(told.items())) if isinstance(told, Mapping) else ()


def _key(run: StoredRun, versions: Mapping[Content, Version]) -> tuple[Any, ...]:
    """Runs of one key belong together, one for each fold; a record of before is known by what others tell of its fold.
    """
    config = {key: value for key, value in run.record["model"]["config"].items() if key != "split"}
    return (run.record["data"]["name"], _version(run) or versions.get(run.content, ()), run.content.interactions,
            run.record["model"]["name"], config_sha256(config), run.record["training"]["seed"])


def _check_contents(runs: Sequence[StoredRun]) -> None:
    """Refuses two contents of one fold, which only records without the hashes of all folds can have.

    Raises:
        DataError: naming the runs.
    """
    by_fold: dict[str, dict[Content, StoredRun]] = {}
    for run in runs:
        by_fold.setdefault(run.record["data"]["split"], {})[run.content] = run
    for fold, contents in by_fold.items():
        if len(contents) > 1:
            raise DataError(f"folds of different data can not be told apart, since their records hold no hash of all "
                            f"folds; there are {len(contents)} contents of {fold}: {_named(contents.values())}. Move "
                            "the runs of one version of the data into a folder of their own, or run the folds again")


def _check_rows(runs: Sequence[StoredRun], rows: np.ndarray) -> None:
    """Refuses a row that several folds score: it would weigh twice.

    Raises:
        DataError: naming the runs, never the rows.
    """
    found, times = np.unique(rows, return_counts=True)
    twice = found[times > 1]
    if len(twice):
        these = [run for run in runs if np.isin(run.rows, twice).any()]
        raise DataError(f"{len(twice)} test rows are scored by more than one fold: {_named(these)}. Every row must be "
                        f"in the test part of one fold; mend the folds of data set '{runs[0].record['data']['name']}' "
                        "and run them again")


def _named(runs: Iterable[StoredRun]) -> str:
    return ", ".join(f"{run.record['model']['name']}/{run.record['run']['id']} ({run.record['data']['split']})"
                     for run in runs)


def _joined(runs: Sequence[StoredRun]) -> StoredRun:
    """One run over the test rows of all folds; its record is for reading and is nowhere written."""
    first = runs[0].record
    names = [name for name in runs[0].columns if all(name in run.columns for run in runs)]
    columns = {name: np.concatenate([run.columns[name] for run in runs]) for name in names}
    rows, patients = (np.concatenate([getattr(run, name) for run in runs]) for name in ("rows", "clusters"))
    _check_rows(runs, rows)
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
                     None if runs[0].patients is None else patients, parts=tuple(run.folder for run in runs))


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
