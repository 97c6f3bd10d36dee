"""How the rows of a section were trained: cost against accuracy, validation by epoch, sets by threshold."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from ..errors import RecordError
from ..quick_start.stored import StoredRun
from .figures import Figure, Series, Spot, against_cost, lines


@dataclass(frozen=True)
class Curve:
    """A figure under a title, with a sentence that says what it shows."""

    title: str
    caption: str
    figure: Figure


def cost_curve(metric: str, spots: Sequence[Spot], higher: bool) -> Iterator[Curve]:
    """Accuracy against cost, where at least two rows know what their training cost.

    Args:
        metric: its name.
        spots: one per row.
        higher: whether higher values are better.
    """
    if len(spots) > 1:
        told = " The grey line joins the rows that none beats at the same or lower cost." if higher else ""
        yield Curve(f"{metric} against cost", "Mean over seeds with its 95 % interval, and the seconds of training, a "
                    f"mean over seeds too, on the machines that the records name.{told}",
                    against_cost(metric, spots, higher))


def learning_curve(by_name: Mapping[str, Sequence[StoredRun]]) -> Iterator[Curve]:
    """Validation by epoch of each row's first run, as its log.jsonl tells it; nothing where no row has two epochs."""
    series = []
    for name, runs in by_name.items():
        points = tuple(_epochs(runs[0].folder / "log.jsonl"))
        best = runs[0].record["training"]["best_epoch"]
        if len(points) > 1:
            series.append(Series(name, points, next((point for point in points if point[0] - 1 == best), None)))
    if series:
        metric = str(next(iter(by_name.values()))[0].record["model"]["config"]["valid_metric"])
        yield Curve("Learning curves", f"{metric} on validation by epoch, first seed of each row; the dot is the epoch "
                    "that was chosen. Rows that are not trained by epochs are not shown.",
                    lines("epoch", f"{metric}, validation", series))


def _epochs(log: Path) -> Iterator[tuple[float, float]]:
    """(number from 1 on, validation score) of each epoch that was validated; of an ensemble, of its first member.

    Raises:
        RecordError: a line that is none of a log.
    """
    if not log.is_file():
        return
    member = None
    for number, line in enumerate(log.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            told: dict[str, Any] = json.loads(line)
            member = member or told.get("member")
            if told.get("member") == member and told.get("valid_score") is not None:
                yield float(told["epoch"]) + 1, float(told["valid_score"])
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            raise RecordError(f"{log}, line {number}: damaged ({type(fault).__name__}: {fault}); remove the file, or "
                              "run again") from fault


def threshold_curve(by_name: Mapping[str, Sequence[StoredRun]]) -> Iterator[Curve]:
    """Jaccard by the size of sets as the threshold falls, on validation, of each row's first run that tells it."""
    series = []
    for name, runs in by_name.items():
        told = runs[0].record["evaluation"].get("threshold_curve")
        if told:
            series.append(Series(name, tuple(zip(told["sizes"], told["jaccard"])), tuple(told["chosen"])))
    if series:
        yield Curve("Threshold curves", "Mean Jaccard on validation as the threshold falls and sets grow, first seed "
                    "(and fold) of each row; the dot is the threshold that was chosen, once, for test.",
                    lines("medications per visit", "Jaccard, validation", series))
