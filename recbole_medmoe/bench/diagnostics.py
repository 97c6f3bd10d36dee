"""Inside a hybrid: whom its gates weigh how, how its experts are used, and where it wins and loses."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np

from ..evaluation import Paired
from ..evaluation.statistics import paired_of, resampled_means
from ..quick_start.stored import StoredRun
from .figures import Block, Figure, Line, forest, shares

HALVES = ("MoEOnly", "LLMOnly")
WEIGHED = {"branches": "branch", "modalities": "modality"}
"""Gates whose weights are shown, as records name them, and what they weigh; the first that a record has counts."""
EVERYONE = "all patients"


@dataclass(frozen=True)
class Gate:
    """Mean weights over one group of test patients: of the branches (experts, LLM) or of the modalities, seeds
    averaged; of the experts in the first seed only, because another seed's experts are others."""

    group: str
    rows: int
    branches: tuple[float, ...]
    experts: tuple[float, ...]


@dataclass(frozen=True)
class Win:
    """Primary metric of the hybrid minus that of its better half, over one group of patients."""

    group: str
    rows: int
    paired: Paired


@dataclass(frozen=True)
class Diagnostics:
    """What a section shows of a hybrid; groups below the floor are left out."""

    hybrid: str
    half: str
    metric: str
    gates: tuple[Gate, ...]
    wins: tuple[Win, ...]
    weighed: str = "branches"
    names: tuple[str, ...] = ("experts", "LLM")

    @property
    def part(self) -> str:
        """What the gate weighs: ``branch`` or ``modality``."""
        return WEIGHED[self.weighed]

    @property
    def branch_figure(self) -> Figure:
        """What the gate between the branches, or modalities, does for each group."""
        rows = [(_told(gate), gate.branches) for gate in self.gates]
        return shares(f"weight of the {self.weighed}", rows, self.names)

    @property
    def expert_figure(self) -> Figure:
        """How each group uses the experts."""
        count = len(self.gates[0].experts)
        return shares("weight of the experts, first seed", [(_told(gate), gate.experts) for gate in self.gates],
                      [f"expert {number + 1}" for number in range(count)], first=2)

    @property
    def win_figure(self) -> Figure:
        """Where the hybrid wins and loses."""
        lines = [Line(f"{win.group} ({win.rows})", win.paired.difference, win.paired.low, win.paired.high,
                      "up" if win.paired.low > 0 else "down" if win.paired.high < 0 else "") for win in self.wins]
        return forest(f"{self.hybrid} − {self.half}, {self.metric.upper()}", [Block("", tuple(lines))], zero=True)


def _told(gate: Gate) -> str:
    return f"{gate.group} ({gate.rows})"


def plain(group: str) -> str:
    """``condition:heart_failure`` as ``heart failure``."""
    return group.removeprefix("condition:").replace("_", " ").replace(":", ": ")


def diagnose(by_name: Mapping[str, Sequence[StoredRun]], primary: str) -> Diagnostics | None:
    """Looks for a hybrid among the rows of a section; the first one counts.

    Args:
        by_name: label to runs, one per seed.
        primary: metric of the comparison with the better half.
    """
    hybrid, key = next(((name, key) for name, runs in by_name.items() for key in WEIGHED
                        if all(_has(run.record["routing"], key) for run in runs)), ("", ""))
    if not hybrid:
        return None
    runs = by_name[hybrid]
    least = runs[0].record["model"]["config"]["min_group"]
    halves = [name for name, its in by_name.items() if its[0].record["model"]["name"] in HALVES
              and all(primary in run.columns for run in its)]
    levels = {name: np.mean([run.columns[primary].mean() for run in by_name[name]]) for name in halves}
    half = max(halves, key=lambda name: levels[name]) if halves else ""
    wins = _wins(runs, by_name[half], primary, least) if half and all(primary in run.columns for run in runs) else ()
    names = ("experts", "LLM") if key == "branches" else _modalities(runs[0].record["model"]["config"])
    return Diagnostics(hybrid, half, primary, _gates(runs, least, key), wins, key, names)


def _has(routing: Mapping[str, Any] | None, key: str) -> bool:
    groups = (routing or {}).get("groups") or {}
    return any(len(group.get(key) or ()) > 1 for group in groups.values())


def _modalities(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of what AMFRec's gate weighs, in its order."""
    return tuple(name for name in dict.fromkeys(config["modalities"])
                 if name != "collaborative" or config["collaborative"] != "none")


def _gates(runs: Sequence[StoredRun], least: int, key: str) -> tuple[Gate, ...]:
    first = runs[0].record["routing"]
    groups = [run.record["routing"]["groups"] for run in runs]
    found = []
    for name, group in sorted(groups[0].items(), key=lambda item: (-item[1]["n"], item[0])):
        if group["n"] >= least and all(name in one and one[name].get(key) for one in groups):
            branches = np.mean([one[name][key] for one in groups], axis=0)
            found.append(Gate(plain(name), group["n"], tuple(branches.tolist()), tuple(group.get("experts") or ())))
    if f"{key}_mean" in first:
        branches = np.mean([run.record["routing"][f"{key}_mean"] for run in runs], axis=0)
        everyone = Gate(EVERYONE, len(runs[0].rows), tuple(branches.tolist()), tuple(first["load"]))
        found = [everyone] + [gate for gate in found if gate.rows < everyone.rows]   # not everyone by another name
    return tuple(found)


def _wins(runs: Sequence[StoredRun], half: Sequence[StoredRun], primary: str, least: int) -> tuple[Win, ...]:
    """Differences by group, the same patients drawn for all groups of one size."""
    config = runs[0].record["model"]["config"]
    order = np.argsort(runs[0].rows, kind="stable")
    difference = _averaged(runs, primary) - _averaged(half, primary)
    groups: dict[str, np.ndarray] = {EVERYONE: np.ones(len(order), dtype=bool)}
    groups |= {plain(name): mask[order] for name, mask in runs[0].groups.items() if least <= mask.sum() < len(mask)}
    wins = []
    for name, mask in groups.items():
        means = resampled_means(difference[mask], None, config["bootstrap_draws"], 0)[:, 0]
        wins.append(Win(name, int(mask.sum()), paired_of(float(difference[mask].mean()), means)))
    return (wins[0], *sorted(wins[1:], key=lambda win: -win.paired.difference))


def _averaged(runs: Sequence[StoredRun], primary: str) -> np.ndarray:
    columns = [run.columns[primary][np.argsort(run.rows, kind="stable")] for run in runs]
    averaged: np.ndarray = np.mean(columns, axis=0)
    return averaged
