"""Full-sort evaluation: one pass of scores, one top-K, hits by look-up, a value per row and metric."""
from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import compat, processes
from ..processes import gather_rows
from .loading import Batch, full_sort_batches
from .pooled import POOLED_METRICS, POPULARITY_METRICS, pooled_metrics, popularity_metrics
from .ranking import LIFT, ROW_METRICS, popularity_lift, rank_metrics
from .routing import about_to_score
from .topk import Lots, find_hits, forbid, top_items

compat.apply()

FULL_SORT_METRICS: tuple[str, ...] = (*ROW_METRICS, *POPULARITY_METRICS, *POOLED_METRICS, LIFT)

# Models without full_sort_predict score (user, item) pairs; this many at once bound their features' memory.
PAIRS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found; averages, groups, intervals and tests all come from the columns.

    Attributes:
        metrics: ``{"recall@5": mean over rows or pooled value}``, not rounded.
        columns: metric to [N] values per row; pooled metrics have none.
        row_ids: [N] internal user ids.
        topk_items: [N, K] internal item ids, best first; 0 ([PAD]) where a user has fewer than K items to rank.
        seconds: wall time, synchronised with the device.
        threshold: what made sets of scores; None where only ranks count.
        threshold_curve: as `recbole_medmoe.evaluation.medication.threshold_curve` gives it, where the threshold was
            tuned on these very rows.
    """

    metrics: dict[str, float]
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    row_ids: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    topk_items: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    seconds: float = 0.0
    threshold: float | None = None
    threshold_curve: dict[str, list[float]] | None = None

    def rounded(self, places: int = 4) -> dict[str, float]:
        """The metrics as RecBole gives them, rounded to ``metric_decimal_place``."""
        return {name: round(float(value), places) for name, value in self.metrics.items()}


@dataclass(frozen=True)
class _Ranked:
    """Top-K lists of all rows [N, K], which of their items are hits [N, K], row ids and numbers of positives [N].

    ``popular`` are the hits [N, K] of the most popular items in their place; of no row where nobody asked for them.
    """

    items: np.ndarray
    hits: np.ndarray
    rows: np.ndarray
    positives: np.ndarray
    popular: np.ndarray


def supports(metrics: Iterable[str]) -> bool:
    """Whether every metric is one of ``FULL_SORT_METRICS``; others (GAUC, AUC, RMSE ...) are RecBole's own to make."""
    return all(name.lower() in FULL_SORT_METRICS for name in metrics)


@torch.no_grad()
def evaluate_full_sort(model: Any, loader: Any, *, topk: Sequence[int], metrics: Sequence[str],
                       device: torch.device | str, candidates: Tensor | None = None, item_num: int | None = None,
                       precision: str = "no", train_counts: np.ndarray | None = None,
                       tail_ratio: float | None = None, progress: bool = False) -> Evaluation:
    """Ranks the whole catalogue, or the candidates, for every row of a loader.

    Items of earlier parts of the same user and [PAD] are never listed, and ties fall as ``torch.topk`` lets them, both
    as in RecBole; among candidates ties are drawn by lot (:class:`recbole_medmoe.evaluation.topk.Lots`).

    Args:
        model: a RecBole model; without ``full_sort_predict`` its ``predict`` scores all pairs in blocks.
        loader: ``FullSortEvalDataLoader`` or anything that yields its batches (interaction, history index or None,
            row of each positive, item of each positive).
        topk: cut-offs; one above the catalogue leaves [PAD] at the end of the lists.
        metrics: names among ``FULL_SORT_METRICS``, any case.
        device: where the model is.
        candidates: [I] bool, items that are ranked in this phase for every user; None is the whole catalogue.
        item_num: I, internal item ids with [PAD]; read from the loader's data set when not given.
        precision: 'no' or 'bf16' (scores under autocast).
        train_counts: [I] training rows of each item, for AveragePopularity, TailPercentage and PopularityLift.
        tail_ratio: RecBole's setting for TailPercentage.
        progress: show a bar of batches.

    Raises:
        ValueError: an unknown metric, or a popularity metric without ``train_counts``.
        TrainingError: scores that are not numbers.
        DataError: a positive that is not among the candidates.
    """
    names = [metric.lower() for metric in metrics]
    if not supports(names):
        raise ValueError(f"full-sort metrics are {', '.join(FULL_SORT_METRICS)}, not {', '.join(names)}")
    if train_counts is None and set(names) & {*POPULARITY_METRICS, LIFT}:
        raise ValueError(f"{', '.join((*POPULARITY_METRICS, LIFT))} need the items' training counts")
    device = torch.device(device)
    item_num = int(item_num or loader._dataset.item_num)
    started = clock(device)
    model.eval()
    ranked = _rank(model, full_sort_batches(loader, item_num, candidates, progress), max(topk), item_num, device,
                   candidates, precision, loader, train_counts if LIFT in names else None)
    columns = rank_metrics(ranked.hits, ranked.positives, [name for name in names if name in ROW_METRICS], topk)
    popular = [name for name in names if name in POPULARITY_METRICS]
    if popular and train_counts is not None:
        columns |= popularity_metrics(ranked.items, train_counts, popular, topk, tail_ratio)
    if LIFT in names:
        columns |= popularity_lift(ranked.hits, ranked.popular, topk)
    values = {name: float(column.mean()) for name, column in columns.items()}
    values |= pooled_metrics(ranked.items, item_num, [name for name in names if name in POOLED_METRICS], topk)
    ordered = {f"{name}@{k}": values[f"{name}@{k}"] for name in names for k in topk}
    return Evaluation(ordered, columns, ranked.rows, ranked.items, clock(device) - started)


def clock(device: torch.device) -> float:
    """Seconds, once the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _rank(model: Any, batches: Iterator[Batch], depth: int, item_num: int, device: torch.device,
          candidates: Tensor | None, precision: str, loader: Any, popularity: np.ndarray | None) -> _Ranked:
    lists: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    hits: list[np.ndarray] = []
    positives: list[np.ndarray] = []
    popular: list[np.ndarray] = []
    lots, others = (None, None) if candidates is None else (Lots(candidates), Lots(candidates))
    turns: list[np.ndarray] = []
    for number, batch in enumerate(batches):
        if not processes.is_mine(number):
            for one in (lots, others if popularity is not None else None):
                if one is not None:
                    one.skip(len(batch.rows))
            continue
        turns.append(np.full(len(batch.rows), number))
        scores = _scores(model, batch.interaction, item_num, loader, device, precision)
        forbid(scores, batch.history)
        lists.append(top_items(scores, depth, lots))
        rows.append(batch.rows)
        hits.append(find_hits(scores, lists[-1], batch.keys))
        positives.append(batch.positives)
        if popularity is not None:
            counts = torch.from_numpy(popularity.astype(np.float32)).expand(len(scores), item_num).contiguous()
            forbid(counts, batch.history)
            popular.append(find_hits(counts, top_items(counts, depth, others), batch.keys))
    none: np.ndarray = np.zeros((0, depth), dtype=np.int64)
    listed, ids, counted = gathered(turns, (lists, none), (rows, none[:, 0]), (positives, none[:, 0]))
    hit, most = gathered(turns, (hits, none > 0), (popular, none > 0))
    return _Ranked(listed, hit, ids, counted, most)


def gathered(turns: list[np.ndarray], *columns: tuple[list[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    """Columns over all batches, in the loader's order, whichever process scored them.

    Args:
        turns: number of the batch of each row, one array per batch of this process.
        columns: the values of these batches (none: nobody asked for them), and an array without rows in their place.
    """
    mine = [np.concatenate(parts) if parts else none for parts, none in columns]
    if processes.count() == 1:
        return mine
    order = np.argsort(gather_rows(np.concatenate(turns) if turns else np.zeros(0, dtype=np.int64)), kind="stable")
    whole = [gather_rows(column) for column in mine]
    return [column[order] if len(column) else column for column in whole]


def _scores(model: Any, interaction: Any, item_num: int, loader: Any, device: torch.device, precision: str) -> Tensor:
    """Scores [B, I]; where lists of items stand in no order, the mean over those that the data set arranges them in."""
    arrange = getattr(getattr(loader, "_dataset", None), "arrangements", None)
    views = [interaction] if arrange is None else list(arrange(interaction))
    found = score_block(model, views[0], item_num, loader, device, precision)
    for view in views[1:]:
        found += score_block(model, view, item_num, loader, device, precision)
    return found / len(views) if len(views) > 1 else found


def score_block(model: Any, interaction: Any, item_num: int, loader: Any, device: torch.device,
                precision: str) -> Tensor:
    """Scores [B, I] of a batch in float32 or wider, free to be written to."""
    from recbole.model.abstract_recommender import AbstractRecommender

    about_to_score(interaction[loader.uid_field])
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        if getattr(type(model), "full_sort_predict", None) is not AbstractRecommender.full_sort_predict:
            scores = model.full_sort_predict(interaction.to(device))
        else:
            scores = _pair_scores(model, interaction.to(device), item_num, loader)
    scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    return scores.view(-1, item_num)


def _pair_scores(model: Any, interaction: Any, item_num: int, loader: Any) -> Tensor:
    """``predict`` over users x items, in blocks of users; a single user's catalogue is cut too where it is large."""
    items = loader._dataset.get_item_feature().to(interaction[loader.uid_field].device)
    users_at_once = max(PAIRS_AT_ONCE // item_num, 1)
    parts: list[Tensor] = []
    for first in range(0, len(interaction), users_at_once):
        users = interaction[slice(first, first + users_at_once)]
        pairs = users.repeat_interleave(item_num)
        pairs.update(items.repeat(len(users)))
        parts += [model.predict(pairs[slice(start, start + PAIRS_AT_ONCE)]).reshape(-1)
                  for start in range(0, len(pairs), PAIRS_AT_ONCE)]
    return torch.cat(parts)
