"""Evaluation of visits: every medication is scored, a threshold makes the set, each metric has a value per visit."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..metrics import SET_METRICS
from ..processes import is_mine
from .evaluator import Evaluation, clock, gathered, score_block
from .loading import full_sort_batches
from .medication import average_precision, interactions, overlap, threshold_curve, tune_threshold
from .ranking import ROW_METRICS, rank_metrics
from .ratios import means, ratio_columns
from .topk import Lots, forbid, top_items

Array = np.ndarray


def supports_sets(metrics: Iterable[str]) -> bool:
    """Whether every metric is one of a visit's set, or a ranking metric with a value per row."""
    known = {*ROW_METRICS, *(name.lower() for name in SET_METRICS)}
    return all(name.lower() in known for name in metrics)


@torch.no_grad()
def evaluate_sets(model: Any, loader: Any, *, topk: Sequence[int], metrics: Sequence[str], device: torch.device | str,
                  threshold: float | None, ddi: Tensor | None, item_num: int | None = None, precision: str = "no",
                  progress: bool = False) -> Evaluation:
    """Scores all medications for every visit of a loader.

    Nothing is masked but [PAD]: a medication that the patient had before may be given again, and leaving out those
    that were not would tell the truth. Ties of the lists are drawn by lot (`recbole_medmoe.evaluation.topk.Lots`).

    Args:
        model: as in `evaluate_full_sort`.
        loader: as in `evaluate_full_sort`; its positives are the visits' sets.
        topk: cut-offs of the ranking metrics and of the lists that are kept.
        metrics: names of `SET_METRICS` or of ranking metrics, any case.
        device: where the model is.
        threshold: a set holds what is scored at or above it. None tunes it on these very visits: validation only.
        ddi: [I, I] bool, which items interact; None leaves DDI rates out.
        item_num: I, internal item ids with [PAD]; read from the loader's data set when not given.
        precision: 'no' or 'bf16'.
        progress: show a bar of batches.

    Returns:
        The evaluation, with the threshold that was used. ``row_ids`` are internal ids of the visits.

    Raises:
        ValueError: an unknown metric, or a loader without visits.
        TrainingError: scores that are not numbers.
    """
    names = [metric.lower() for metric in metrics]
    if not supports_sets(names):
        raise ValueError(f"metrics of sets are {', '.join((*SET_METRICS, *ROW_METRICS))}, not {', '.join(names)}")
    device = torch.device(device)
    item_num = int(item_num or loader._dataset.item_num)
    started = clock(device)
    model.eval()
    rows, scores, truth, lists = _scored(model, loader, item_num, max(topk), device, precision, progress)
    curve = None
    if threshold is None:
        threshold = tune_threshold(scores, truth)
        curve = threshold_curve(scores, truth, threshold)
    hits = np.take_along_axis(np.pad(truth, ((0, 0), (1, 0))), lists, axis=1)
    columns = set_columns(scores, truth, threshold, None if ddi is None else ddi[1:, 1:].cpu().numpy(), names)
    columns |= rank_metrics(hits, truth.sum(axis=1), [name for name in names if name in ROW_METRICS], topk)
    return Evaluation(ordered(means(columns), names, topk), columns, rows, lists, clock(device) - started, threshold,
                      curve)


def set_columns(scores: Array, truth: Array, threshold: float, ddi: Array | None, names: Sequence[str],
                ) -> dict[str, Array]:
    """Values per visit.

    Args:
        scores, truth: [N, M], as in `recbole_medmoe.evaluation.medication`.
        threshold: a set holds what is scored at or above it.
        ddi: [M, M] bool, or None where there is no list of interactions.
        names: of `SET_METRICS`, lower case; others are not looked at.

    Returns:
        Name to [N] values; a DDI rate as its two columns, see `ratio_columns`.
    """
    chosen = scores.astype(np.float64) >= threshold if scores.dtype != np.float64 else scores >= threshold
    jaccard, f1 = overlap(chosen, truth)
    found = {"jaccard": jaccard, "f1": f1, "setsize": chosen.sum(axis=1).astype(np.float64),
             "truesetsize": truth.sum(axis=1).astype(np.float64)}
    if "prauc" in names:
        found["prauc"] = average_precision(scores, truth)
    columns = {name: found[name] for name in names if name in found}
    for name, sets in (("ddirate", chosen), ("trueddirate", truth)):
        if name in names and ddi is not None:
            columns |= ratio_columns(name, *interactions(sets, ddi))
    return columns


def _scored(model: Any, loader: Any, item_num: int, depth: int, device: torch.device, precision: str, progress: bool,
            ) -> tuple[Array, Array, Array, Array]:
    """Visits [N], their scores [N, M] and sets [N, M] without [PAD], and top lists [N, K] of internal item ids."""
    lots = Lots(torch.ones(item_num, dtype=torch.bool))
    rows: list[Array] = []
    scores: list[Array] = []
    truth: list[Array] = []
    lists: list[Array] = []
    turns: list[Array] = []
    for number, batch in enumerate(full_sort_batches(loader, item_num, None, progress)):
        if not is_mine(number):
            lots.skip(len(batch.rows))
            continue
        turns.append(np.full(len(batch.rows), number))
        found = score_block(model, batch.interaction, item_num, loader, device, precision)
        forbid(found, torch.zeros(0, dtype=torch.int64))
        rows.append(batch.rows)
        scores.append(found[:, 1:].cpu().numpy())
        lists.append(top_items(found, depth, lots))
        positive: Array = np.zeros(found.shape, dtype=bool)
        positive.ravel()[batch.keys] = True
        truth.append(positive[:, 1:])
    none: Array = np.zeros((0, item_num - 1), dtype=np.float32)
    ids, scored, sets, listed = gathered(turns, (rows, np.zeros(0, dtype=np.int64)), (scores, none), (truth, none > 0),
                                         (lists, np.zeros((0, depth), dtype=np.int64)))
    if not len(ids):
        raise ValueError("the loader has no visits")
    return ids, scored, sets, listed


def ordered(found: dict[str, float], names: Sequence[str], topk: Sequence[int]) -> dict[str, float]:
    """Metrics in the order in which they were asked for; a DDI rate that is not defined is left out."""
    keys = [key for name in names for key in ([f"{name}@{k}" for k in topk] if name in ROW_METRICS else [name])]
    return {key: found[key] for key in keys if key in found}
