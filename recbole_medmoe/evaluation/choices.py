"""Evaluation of questions: each ranks its own options, one of them right; each metric has a value per question."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.visit_tables import Ragged
from ..errors import TrainingError
from ..layers.sets import padded_rows
from ..metrics import CHOICE_METRICS
from ..processes import is_mine
from .evaluator import PAIRS_AT_ONCE, Evaluation, clock, gathered, score_block
from .loading import Batch, full_sort_batches
from .ranking import ROW_METRICS, rank_metrics
from .ratios import means, ratio_columns
from .set_evaluator import ordered

Array = np.ndarray


def supports_choices(metrics: Iterable[str]) -> bool:
    """Whether every metric is one of a question's choice, or a ranking metric with a value per row."""
    known = {*ROW_METRICS, *(name.lower() for name in CHOICE_METRICS)}
    return all(name.lower() in known for name in metrics)


@torch.no_grad()
def evaluate_choices(model: Any, loader: Any, *, topk: Sequence[int], metrics: Sequence[str],
                     device: torch.device | str, options: Ragged, tasks: Sequence[str], item_num: int | None = None,
                     precision: str = "no", progress: bool = False) -> Evaluation:
    """Ranks each question's own options; nothing else is asked of models that score pairs.

    Ties are drawn by lot, the same for every model: the order of options is a shortcut, and a model that scores all
    alike must not be paid for it.

    Args:
        model: as in `evaluate_full_sort`.
        loader: as in `evaluate_full_sort`; its positive is a question's right option.
        topk: cut-offs of the ranking metrics and of the lists that are kept.
        metrics: names of `CHOICE_METRICS` or of ranking metrics, any case.
        device: where the model is.
        options: item ids of each question's options, by internal id of the question [U].
        tasks: the task of each question [U], for MacroAccuracy.
        item_num: I, internal item ids with [PAD]; read from the loader's data set when not given.
        precision: 'no' or 'bf16'.
        progress: show a bar of batches.

    Raises:
        ValueError: an unknown metric, a loader without questions, or one without one right option each.
        TrainingError: scores that are not numbers.
    """
    names = [metric.lower() for metric in metrics]
    if not supports_choices(names):
        raise ValueError(f"metrics of choices are {', '.join((*CHOICE_METRICS, *ROW_METRICS))}, not {', '.join(names)}")
    device = torch.device(device)
    item_num = int(item_num or loader._dataset.item_num)
    started = clock(device)
    model.eval()
    lots, width = np.random.default_rng(0), int(options.sizes.max())
    rows: list[Array] = []
    lists: list[Array] = []
    hits: list[Array] = []
    turns: list[Array] = []
    for number, batch in enumerate(full_sort_batches(loader, item_num, None, progress)):
        if (batch.positives != 1).any():
            raise ValueError("every question needs one right option")
        own = padded_rows(*options, torch.from_numpy(batch.rows))  # [B, C]
        own = torch.nn.functional.pad(own, (0, width - own.shape[1]))
        drawn = lots.random(own.shape)
        if not is_mine(number):
            continue
        turns.append(np.full(len(batch.rows), number))
        scores = _own_scores(model, batch, own, item_num, loader, device, precision)
        ranked = _ranked(own.numpy(), scores, drawn)
        right: Array = batch.keys % item_num
        rows.append(batch.rows)
        lists.append(_deep(ranked, max(topk)))
        hits.append((lists[-1] == right[:, None]) & (lists[-1] > 0))
    none: Array = np.zeros((0, max(topk)), dtype=np.int64)
    questions, hit, listed = gathered(turns, (rows, none[:, 0]), (hits, none > 0), (lists, none))
    if not len(questions):
        raise ValueError("the loader has no questions")
    columns = choice_columns(hit[:, 0], options.sizes.numpy()[questions], [tasks[row] for row in questions], names)
    columns |= rank_metrics(hit, np.ones(len(hit)), [name for name in names if name in ROW_METRICS], topk)
    return Evaluation(ordered(means(columns), names, topk), columns, questions, listed,
                      clock(device) - started)


def choice_columns(right: Array, sizes: Array, tasks: Sequence[str], names: Sequence[str]) -> dict[str, Array]:
    """Values per question.

    Args:
        right: [N] bool, whether the option ranked first is the right one.
        sizes: [N] number of options.
        tasks: the task of each question [N].
        names: of `CHOICE_METRICS`, lower case; others are not looked at.

    Returns:
        Name to [N] values. MacroAccuracy comes as its two columns, see `ratio_columns`: with the weight 1 / (questions
        of the task) for each question, the ratio of sums is the mean over tasks of their accuracies.
    """
    accuracy: Array = right.astype(np.float64)
    found = {"accuracy": accuracy, "blindaccuracy": 1.0 / sizes}
    columns = {name: found[name] for name in names if name in found}
    if "macroaccuracy" in names:
        _, task, counts = np.unique(np.asarray(tasks, dtype=object).astype(str), return_inverse=True,
                                    return_counts=True)
        weight = 1.0 / counts[task]
        columns |= ratio_columns("macroaccuracy", accuracy * weight, weight)
    return columns


def _own_scores(model: Any, batch: Batch, own: Tensor, item_num: int, loader: Any, device: torch.device,
                precision: str) -> Array:
    """Scores [B, C] of the options ``own`` [B, C]; -inf where there is none."""
    from recbole.model.abstract_recommender import AbstractRecommender

    there = own > 0
    if getattr(type(model), "full_sort_predict", None) is not AbstractRecommender.full_sort_predict:
        block = score_block(model, batch.interaction, item_num, loader, device, precision)
        scores = block.gather(1, own.to(block.device)).cpu()
    else:
        pairs = batch.interaction.to(device)[there.nonzero()[:, 0].to(device)]
        pairs.update(loader._dataset.get_item_feature().to(device)[own[there].to(device)])
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            found = [model.predict(pairs[slice(start, start + PAIRS_AT_ONCE)]).reshape(-1)
                     for start in range(0, len(pairs), PAIRS_AT_ONCE)]
        scores = torch.zeros(own.shape).masked_scatter(there, torch.cat(found).float().cpu())
    if scores[there].isnan().any():
        raise TrainingError("the model's scores are not numbers (NaN): its weights diverged; lower learning_rate")
    return scores.float().masked_fill(~there, -torch.inf).numpy()


def _ranked(own: Array, scores: Array, lots: Array) -> Array:
    """Options [B, C], best first, ties by lots [B, C]; 0 where a question has fewer."""
    laid_out = np.where(own > 0, lots, np.inf).argsort(axis=1)
    order = (-np.take_along_axis(scores, laid_out, axis=1)).argsort(axis=1, kind="stable")
    return np.take_along_axis(own, np.take_along_axis(laid_out, order, axis=1), axis=1)


def _deep(items: Array, depth: int) -> Array:
    """Lists [B, C] cut or filled up with 0 to K columns."""
    return np.pad(items[:, :depth], ((0, 0), (0, max(0, depth - items.shape[1]))))
