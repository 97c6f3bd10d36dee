"""The evidence behind a page: each used run in compact form, and which run stands where; nothing else is needed."""
from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from ..errors import RecordError
from ..evaluation import ratio_parts
from ..files import atomic_write
from ..quick_start.folds import FOLDS
from ..quick_start.stored import GROUP, ITEMS, StoredRun
from ..store import read_record, read_rows, write_record, write_rows
from .jobs import Cell
from .suite import Suite

_INDEX, _RECORDS, _LOG = "index.json", "records", "log.jsonl"
Found = dict[str, dict[Cell, dict[int, Path]]]


def write_evidence(out: Path, suites: Sequence[Suite], found: Mapping[str, Mapping[Cell, Mapping[int, Path]]]) -> None:
    """Copies the runs in compact form and notes where each stands; records that are no longer used are removed last.

    Of the runs of tables, the first seeds keep their validation by epoch, which the page draws.

    Args:
        out: the folder of evidence.
        suites: whose metrics keep their values per row.
        found: suite's name to cell to seed to run folder.
    """
    records = out / _RECORDS
    metrics = list(dict.fromkeys(metric for suite in suites for metric in suite.metrics))
    folders = sorted({folder for cells in found.values() for seeds in cells.values() for folder in seeds.values()})
    used = {_place(folder): folder for folder in folders}
    learned = {seeds[min(seeds)] for suite in suites if suite.has_tables
               for seeds in found.get(suite.name, {}).values() if seeds}
    for place, folder in used.items():
        if (records / place).resolve() != folder.resolve():
            _compact(folder, records / place, metrics)
            if folder in learned and (folder / _LOG).is_file():
                atomic_write(records / place / _LOG, _epochs(folder / _LOG).encode())
    index = {name: [{**cell._asdict(), "runs": {str(seed): _place(folder) for seed, folder in sorted(seeds.items())}}
                    for cell, seeds in cells.items()] for name, cells in found.items()}
    lines = [f' {json.dumps(name)}: [\n  ' + ",\n  ".join(json.dumps(cell, ensure_ascii=False) for cell in cells) + "]"
             for name, cells in index.items()]
    out.mkdir(parents=True, exist_ok=True)
    atomic_write(out / _INDEX, ("{\n" + ",\n".join(lines) + "}\n").encode())
    for path in records.glob("*/*"):   # only now: until here the old index was right
        if path.relative_to(records).as_posix() not in used:
            shutil.rmtree(path)


def _place(folder: Path) -> str:
    """``<model>/<run_id>``: the end of a run folder's path, here and in the evidence."""
    return "/".join(folder.parts[-2:])


def _compact(folder: Path, target: Path, metrics: Sequence[str]) -> None:
    """Record without what its rows tell again, rows without lists and without groups that are never shown."""
    record, table = read_record(folder), read_rows(folder)
    primary = str(record["model"]["config"]["valid_metric"]).lower()
    # A group that is too small in one fold may be large enough in all of them together.
    least = 1 if FOLDS in record["data"]["statistics"] else record["model"]["config"]["min_group"]
    evaluation = record["evaluation"]
    for name, group in evaluation["groups"].items():
        if group["metrics"] is not None:
            kept = (primary, *metrics) if name.startswith(ITEMS) else (primary,)
            group["metrics"] = {metric: value for metric, value in group["metrics"].items() if metric in kept}
    record["data"]["statistics"] = {key: value for key, value in record["data"]["statistics"].items()
                                    if key in ("title", "split_description", "pictures", "train_users", "patients",
                                               "visits", "ddi", "folds")}
    record["routing"] = _rounded(record["routing"])
    record["run"]["command"] = _without_runs_dir(record["run"]["command"])
    if "threshold_curve" in evaluation:
        evaluation["threshold_curve"] = _rounded(evaluation["threshold_curve"])
    rows: dict[str, Any] = {name: table[name] for name in ("row", "patient") if name in table}
    parts = {part for metric in metrics for part in ratio_parts(metric)}
    for name, values in table.items():
        is_items = name.startswith(ITEMS) and name.rpartition("/")[2] in metrics
        if name in metrics or name == primary or name in parts or is_items:
            rows[name] = values
        elif name.startswith(GROUP) and least <= np.sum(values) < len(values):
            rows[name] = values
    target.parent.mkdir(parents=True, exist_ok=True)
    target.mkdir(mode=0o700 if record["data"]["derived_from_credentialed"] else 0o777, exist_ok=True)
    write_rows(target, rows, compact=True)
    write_record(target, record, indent=None)


def _without_runs_dir(command: str) -> str:
    """Evidence travels; where its maker kept the runs says nothing to others."""
    words = shlex.split(command)
    return shlex.join([word for place, word in enumerate(words) if "--runs-dir" not in (word, *words[:place][-1:])
                       and not word.startswith("--runs-dir=")])


def _epochs(log: Path) -> str:
    """A log of nothing but epochs and what validation said of them."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return "".join(json.dumps({key: _rounded(line[key]) for key in ("epoch", "member", "valid_score") if key in line})
                   + "\n" for line in lines if line.get("valid_score") is not None)


def _rounded(value: Any) -> Any:
    """Weights of gates and points of curves with four decimals: more tells nothing."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value


def read_evidence(folder: Path, suites: Iterable[Suite]) -> Found:
    """Which run stands where, as `write_evidence` noted it.

    Raises:
        RecordError: no evidence there, a damaged index, or a suite that it does not know.
    """
    path = folder / _INDEX
    if not path.is_file():
        raise RecordError(f"{path}: no such file; evidence is written by bench SUITE --out {folder}")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        known = {name: {Cell(**{key: cell[key] for key in Cell._fields}):
                        {int(seed): folder / _RECORDS / place for seed, place in cell["runs"].items()}
                        for cell in cells} for name, cells in index.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise RecordError(f"{path}: damaged ({type(fault).__name__}: {fault}); write it again with --out") from fault
    wanted = [suite.name for suite in suites]
    lacking = [name for name in wanted if name not in known]
    if lacking:
        raise RecordError(f"{path}: knows no suite {', '.join(lacking)}; it holds {', '.join(known)}")
    return {name: known[name] for name in wanted}


class Reader:
    """Reads each run once, whatever number of suites it stands in, and keeps only the metrics that they show."""

    def __init__(self, suites: Sequence[Suite]) -> None:
        self._metrics = {metric for suite in suites for metric in suite.metrics}
        self._read: dict[Path, StoredRun] = {}

    def __call__(self, folder: Path) -> StoredRun:
        if folder not in self._read:
            run = StoredRun.read(folder)
            kept = {run.primary, *self._metrics, *(part for name in self._metrics for part in ratio_parts(name))}
            columns = {name: values for name, values in run.columns.items() if name in kept}
            evaluation = run.record["evaluation"]
            means = {name: value for name, value in evaluation["metrics"].items()
                     if name in self._metrics or name == run.primary}
            record = {**run.record, "evaluation": {**evaluation, "metrics": means}}
            items = {name: values for name, values in run.items.items() if name.rpartition("/")[2] in self._metrics}
            self._read[folder] = StoredRun(run.folder, record, run.rows, columns, run.groups, run.patients, items)
        return self._read[folder]
