"""Which finished runs may stand in one table: equal data, protocol and budget; others stand apart, and it says so."""
from __future__ import annotations

import json
from typing import Any, Mapping, NamedTuple, Sequence

from ..errors import RecordError
from ..quick_start.stored import StoredRun
from .protocol import NOTHING_TO_SET, budget

_OTHER_LIST = ("Runs on these data with other lists of interactions (ddi.csv) stand in tables of their own: models "
               "learn from the list, and DDI rates are counted by it.")


class Place(NamedTuple):
    """Runs of one place stand in one table. Each part but the first two is a reason to stand apart."""

    dataset: str
    split: str
    content: str
    interactions: str
    parted: str
    primary: str
    metrics: str
    protocol: str
    share: str
    budget: str


_TOLD = {"content": "the content of the data (SHA-256 {})", "parted": "how rows were parted",
         "primary": "the metric that validation chose by ({})", "metrics": "the metrics asked for",
         "protocol": "the protocol ({})", "share": "the share of the training users ({})",
         "budget": "the tuning budget ({})"}
_PROTOCOL = {"target_visits": "all", "set_threshold": "tuned", "leave_out_seen": False, "images": "catalogue"}
"""Keys that say what is scored and how, with the values of records from before there were such keys."""


def check_fit(run: StoredRun) -> None:
    """Refuses a record that fits the schema and says too little for a table, as one made elsewhere may.

    Raises:
        RecordError: naming the record and all that it lacks.
    """
    data, config = run.record["data"], run.record["model"]["config"]
    sets, ranked = config.get("task") == "medication", config.get("task") not in ("medication", "choice")
    needed = {"valid_metric": True, "bootstrap_draws": bool(run.columns), "eval_args": ranked or not data["split"],
              "set_threshold": sets, "target_visits": sets}
    lacking = [name for name, counts in needed.items() if counts and name not in config]
    if not data["split"] and "eval_args" in config:   # RecBole's own way of splitting
        lacking += [f"eval_args.{name}" for name in ("split", "order", "group_by") if name not in config["eval_args"]]
    faults = [f"model.config lacks {', '.join(lacking)}"] if lacking else []
    faults += ["data.statistics lacks patients"] if sets and "patients" not in data["statistics"] else []
    if "valid_metric" in config and run.record["evaluation"]["metrics"].get(run.primary) is None:
        faults.append(f"evaluation.metrics has no value of {run.primary}, the valid_metric")
    if faults:
        raise RecordError(f"{run.folder / 'record.json'}: {'; '.join(faults)}: no table can show it. Add what is "
                          "missing (docs/records.md), or move the folder away")


def place_of(run: StoredRun) -> Place:
    """Where a run stands."""
    data, config = run.record["data"], run.record["model"]["config"]
    return Place(data["name"], data["split"] or "", *run.content, run.primary,
                 " ".join(run.record["evaluation"]["metrics"]), _protocol(config),
                 f"{data.get('train_share', 1.0):.0%}", budget(run.record["training"]["search"]) or "not tuned")


def _protocol(config: Mapping[str, Any]) -> str:
    mode = (config.get("eval_args") or {}).get("mode", "full")
    mode = mode.get("test", "full") if isinstance(mode, Mapping) else mode
    told = {"mode": mode, **{key: config.get(key, usual) for key, usual in _PROTOCOL.items()}}
    return ", ".join(f"{key} {value if isinstance(value, str) else json.dumps(value)}" for key, value in told.items()
                     if key == "mode" or value != _PROTOCOL[key])


def placed(runs: Sequence[StoredRun]) -> dict[Place, list[StoredRun]]:
    """Runs by place; models that have nothing to tune stand in the table of every budget."""
    found: dict[Place, list[StoredRun]] = {}
    for run in runs:
        found.setdefault(place_of(run), []).append(run)
    for place in [place for place in found if place.budget == NOTHING_TO_SET]:
        others = [other for other in found if other != place and other._replace(budget=place.budget) == place]
        for other in others:
            found[other] += found[place]
        if others:
            del found[place]
    return found


def remarks(place: Place, places: Sequence[Place]) -> list[str]:
    """What the reader of this table must know of runs on the same data set and split that stand elsewhere."""
    beside = [other for other in places if other[:2] == place[:2] and other != place]
    notes = []
    if any(other._replace(interactions="") == place._replace(interactions="") for other in beside):
        notes.append(_OTHER_LIST)
    told = [text.format(_short(name, place)) for name, text in _TOLD.items()
            if any(getattr(other, name) != getattr(place, name) for other in beside)]
    if told:
        notes.append("Other runs on this data set and split stand in tables of their own and are not compared with "
                     f"these, since they differ in {'; '.join(told)}.")
    return notes


def _short(name: str, place: Place) -> str:
    value = str(getattr(place, name))
    return f"here {value[:12] if name == 'content' else value}"
