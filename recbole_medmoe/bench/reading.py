"""Finished runs in a folder, put into sections: one per data set, split and content."""
from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from ..errors import RecordError, nearest
from ..evaluation import Comparison
from ..quick_start.comparing import compare_runs
from ..quick_start.folds import FOLDS, join_folds
from ..quick_start.stored import StoredRun
from .curves import Curve, cost_curve, learning_curve, threshold_curve
from .diagnostics import diagnose
from .figures import Spot
from .grouping import groups_of
from .numbers import shown
from .placing import check_fit, place_of, placed, remarks
from .protocol import protocol_sentences, search_sentence
from .routers import routers_of
from .sections import LOWER_OR_NEITHER, Difference, Estimate, ModelRow, Section, label


def read_sections(folder: Path, against: str | None = None) -> list[Section]:
    """Reads every finished run at or under ``folder``.

    Raises:
        RecordError: no run there, ``against`` is none of the models, or a record that does not fit the schema.
    """
    if not folder.is_dir():
        raise RecordError(f"no folder {folder}")
    places = sorted(path.parent for path in folder.rglob("record.json"))
    if not places:
        raise RecordError(f"no finished run (record.json) in {folder}; run a model first, e.g. "
                          "recbole-medmoe --model Pop --dataset ml-100k")
    return sections_of(places, against)


def sections_of(folders: Sequence[Path], against: str | None = None) -> list[Section]:
    """Sections of these run folders, in the order of data set and split."""
    runs = [StoredRun.read(folder) for folder in folders]
    for run in runs:
        check_fit(run)
    names = {run.record["model"]["name"] for run in runs}
    if against is not None and against not in names:
        raise RecordError(f"no run of model '{against}'{nearest(against, names)}")
    kept, older = _newest(sorted(runs, key=_age))
    grouped = placed(join_folds(kept))
    sections = []
    for place in sorted(grouped):
        sections.append(_section(sorted(grouped[place], key=_age), against, older, remarks(place, list(grouped))))
    return set_apart(sections)


def set_apart(sections: Sequence[Section]) -> list[Section]:
    """The sections with ``apart`` counted, so that each has an anchor of its own on their page."""
    return [replace(section, apart=sum(_same_data(section, other) for other in sections[:place]))
            for place, section in enumerate(sections)]


def _same_data(one: Section, other: Section) -> bool:
    return replace(one, apart=0).anchor == replace(other, apart=0).anchor


def _age(run: StoredRun) -> tuple[str, str]:
    return run.record["run"]["started"], run.record["run"]["id"]


def _section(runs: list[StoredRun], against: str | None, older: Sequence[StoredRun], notes: list[str]) -> Section:
    labelled = _labels(runs)
    first = next((name for name in labelled if name.split(" (")[0] == against), labelled[0])
    data = runs[0].record["data"]
    if data["split"] == FOLDS:
        left = sum(run.record["data"]["name"] == data["name"]
                   and run.record["data"]["split"] in data["statistics"][FOLDS] for run in older)
    else:
        left = sum(place_of(run) == place_of(runs[0]) for run in older)
    told = f"{left} older run{'s' if left > 1 else ''} of equal configuration and seed left out."
    return section_of(runs, labelled, first, notes + ([told] if left else []))


def section_of(runs: Sequence[StoredRun], labels: Sequence[str], reference: str,
               notes: Sequence[str] = ()) -> Section:
    """One section from runs on the same data and split.

    Args:
        runs: any number of seeds per row.
        labels: what to call each run; runs of one label are seeds of one row.
        reference: label of the row that the others are compared with.
        notes: remarks above the table.

    Raises:
        DataError: runs on other data, of other rows or with another primary metric.
    """
    order = list(dict.fromkeys(labels))
    by_name = {name: [run for run, its in zip(runs, labels) if its == name] for name in order}
    comparison = compare_runs(runs, reference, labels=labels)
    head = by_name[reference][0]
    rows = [_row(name, by_name[name], comparison) for name in order]
    others = sorted((row for row in rows if row.name != reference), key=lambda row: -row.metrics[head.primary].value)
    data = head.record["data"]
    ordered = [row for row in rows if row.name == reference] + others
    return Section(
        data["name"], data["split"] or "", head.primary, data, tuple(ordered), groups_of(by_name, head.primary),
        protocol_sentences(head.record, comparison, len(order)), _environment(head.record),
        (*notes, *_tuned(by_name), *_imported(by_name), *_written(by_name), *_adapters(by_name)),
        diagnose(by_name, head.primary), routers_of(by_name),
        tuple(metric for metric in head.record["evaluation"]["metrics"]
              if not any(metric in row.metrics for row in rows)),
        (*_cost_curve(ordered, head.primary), *learning_curve(by_name), *threshold_curve(by_name)))


def _cost_curve(rows: Sequence[ModelRow], primary: str) -> Iterator[Curve]:
    spots = [Spot(row.name, seconds, row.metrics[primary].value, row.metrics[primary].low, row.metrics[primary].high)
             for row in rows for seconds in [row.cost["training"]] if seconds]
    return cost_curve(label(primary), spots, primary.partition("@")[0] not in LOWER_OR_NEITHER)


def _tuned(by_name: Mapping[str, Sequence[StoredRun]]) -> Iterator[str]:
    """Which rows were tuned, and whether with the same budget."""
    told = search_sentence({name: [run.record for run in runs] for name, runs in by_name.items()})
    if told is not None:
        yield told


def _imported(by_name: Mapping[str, Sequence[StoredRun]]) -> Iterator[str]:
    """Which rows an outside system predicted."""
    for row, runs in by_name.items():
        files = [run.record["model"]["imported"]["sha256"][:12] for run in runs if "imported" in run.record["model"]]
        if files:
            told = ", ".join(dict.fromkeys(files))
            yield (f"{row}: predictions of an outside system (file {told}), scored here by the same protocol; its "
                   "training, its tuning and its cost are not known here.")


def _written(by_name: Mapping[str, Sequence[StoredRun]]) -> Iterator[str]:
    """Of each row that writes names, the share that are no medication of the data set, over all seeds."""
    for row, runs in by_name.items():
        told = [run.record["evaluation"]["written"] for run in runs if "written" in run.record["evaluation"]]
        names, unknown = (sum(one[key] for one in told) for key in ("names", "unknown"))
        if told:
            share = f"{unknown / names:.1%}".replace("%", " %") if names else "–"
            yield (f"{row} wrote {names} names for {sum(one['visits'] for one in told)} visits; out of corpus (no "
                   f"medication of the data set): {share}.")


def _adapters(by_name: Mapping[str, Sequence[StoredRun]]) -> Iterator[str]:
    """What each row's adapter costs, means over seeds; how well a bag of words guesses the task from the prompt."""
    for row, runs in by_name.items():
        costs = [run.record["model"]["costs"] for run in runs if "costs" in run.record["model"]]
        if not costs:
            continue
        done, used = (np.mean([one[name] for one in costs]) / 1e6
                      for name in ("adapter_flops_per_token", "active_flops_per_token"))
        speeds = [[one[name] for one in costs if one[name] is not None]
                  for name in ("training_tokens_per_second", "inference_tokens_per_second")]
        training, inference = (f"{np.mean(values):,.0f}" if values else "–" for values in speeds)
        yield (f"{row}: {done:.2f} MFLOP of the adapter per token, {used:.2f} in the experts that it uses; tokens "
               f"per second {training} in training, {inference} in inference.")
    if any("costs" in run.record["model"] for runs in by_name.values() for run in runs):
        yield ("Seconds and tokens per second hold the frozen layers' pass over texts that no earlier run had left on "
               "disk or in memory: the first run of a seed is slower by it, and rows are not to be compared so.")
    probes = [run.record["evaluation"]["probe"] for runs in by_name.values() for run in runs
              if "probe" in run.record["evaluation"]]
    if probes:
        accuracy, majority = (np.mean([probe[name] for probe in probes]) for name in ("accuracy", "majority"))
        told = (f"The prompt names no task, but a bag of words guesses it from there in {accuracy:.0%} of the test "
                f"rows ({probes[0]['tasks']} tasks; always the commonest: {majority:.0%}).")
        yield told.replace("%", " %")


def _newest(runs: list[StoredRun]) -> tuple[list[StoredRun], list[StoredRun]]:
    """Of runs with equal configuration and seed only the newest counts, a second look must not weigh twice: the newest,
    and those that are left out."""
    newest = {(*place_of(run), run.record["model"]["name"], run.record["model"]["config_sha256"],
               run.record["training"]["seed"]): run for run in runs}
    kept = {id(run) for run in newest.values()}
    return [run for run in runs if id(run) in kept], [run for run in runs if id(run) not in kept]


def _labels(runs: Sequence[StoredRun]) -> list[str]:
    """Model names; where one model ran with several configurations, with the values that differ."""
    labels = []
    for run in runs:
        model = run.record["model"]
        if "imported" in model:
            labels.append(f"{model['name']} (imported)")
            continue
        same = [other.record["model"] for other in runs if other.record["model"]["name"] == model["name"]]
        if len({other["config_sha256"] for other in same}) == 1:
            labels.append(model["name"])
            continue
        keys = sorted({key for other in same for key in {*other["config"], *model["config"]}
                       if other["config_sha256"] != model["config_sha256"] and key != "seed"
                       and other["config"].get(key) != model["config"].get(key)})
        told = ", ".join(f"{key}={model['config'].get(key)}" if key != "search" else
                         f"{(model['config'].get(key) or {'trials': 'no'})['trials']} trials" for key in keys[:3])
        labels.append(f"{model['name']} ({told})")
    return labels


def _row(name: str, runs: Sequence[StoredRun], comparison: Comparison | None) -> ModelRow:
    records = [run.record for run in runs]
    values = {metric: [record["evaluation"]["metrics"].get(metric) for record in records]
              for metric in records[0]["evaluation"]["metrics"]}
    metrics = {metric: Estimate(float(np.mean(found))) for metric, found in values.items() if None not in found}
    difference, spread, level = None, None, frozenset[str]()
    if comparison is not None:
        summary = comparison[name]
        metrics |= {metric: Estimate(found.mean, _number(found.low), _number(found.high))
                    for metric, found in summary.intervals.items()}
        spread = summary.spread[comparison.primary]
        level = frozenset(metric for metric, found in comparison.below_best.items()
                          if name in found and not math.isnan(found[name]) and not shown(found[name]))
        if summary.against is not None and _number(summary.against.p_holm) is not None:
            paired = summary.against.paired
            test = summary.against.t_test
            difference = Difference(paired.difference, paired.low, paired.high, summary.against.p_holm, paired.p,
                                    test.t, test.degrees, test.p, summary.against.effect)
    return ModelRow(name, tuple(sorted(record["training"]["seed"] for record in records)), metrics, difference, spread,
                    _cost(records), tuple(record["run"]["id"] for record in records), records[0]["run"]["command"],
                    _thresholds(records), _rounds(records), tuple(folder for run in runs for folder in run.folders),
                    level)


def _thresholds(records: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """Of every run, and of every fold in it."""
    found = [value for record in records
             for value in record["evaluation"].get("thresholds", [record["evaluation"]["threshold"]])]
    return tuple(value for value in found if value is not None)


def _rounds(records: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Metric to mean and standard deviation over rounds, seeds averaged."""
    tables = [record["evaluation"].get("rounds", {"metrics": {}})["metrics"] for record in records]
    return {metric: (float(np.mean([table[metric]["mean"] for table in tables])),
                     float(np.mean([table[metric]["std"] for table in tables])))
            for metric in tables[0] if all(metric in table for table in tables)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _cost(records: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Means over the runs; None where one of them does not know it, as none that was imported does."""
    imported = any("imported" in record["model"] for record in records)

    def mean(values: list[Any]) -> float | None:
        return None if imported or any(value is None for value in values) else float(np.mean(values))

    return {"training": mean([record["training"]["seconds"] for record in records]),
            "evaluation": mean([record["evaluation"]["seconds"] for record in records]),
            "memory": mean([record["training"]["peak_memory_mib"] for record in records]),
            "parameters": mean([record["model"]["parameters"] for record in records]),
            "trainable": mean([record["model"]["trainable"] for record in records])}


def _environment(record: Mapping[str, Any]) -> dict[str, Any]:
    known = record["environment"]
    packages = known.get("packages", {})
    return {"recbole_medmoe": record["code"]["version"], "Python": known["python"],
            **{name: packages[name] for name in ("torch", "recbole", "numpy", "transformers") if name in packages},
            "on": known.get("gpu") or known["device"], "processors": known["cpu_count"]}
