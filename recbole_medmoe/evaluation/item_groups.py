"""Items apart: whose picture at test is nearest to another item's, and how positives of each kind are found."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .groups import GroupRow, group_table
from .ranking import rank_metrics

Array = np.ndarray
_EQUAL = 1e-6  # cosines this near count as equal: two items may bear the same picture


@dataclass(frozen=True)
class ItemGroup:
    """How positives of one kind of item are found.

    Attributes:
        rows: [N] bool, rows with at least one such positive.
        columns: metric to [N] float64, NaN outside ``rows``.
        line: number of rows and mean of each metric over them.
    """

    rows: Array
    columns: dict[str, Array]
    line: GroupRow


def reclassified(shown: Array, is_shown: Array, catalogue: Array, in_catalogue: Array) -> Array:
    """Items whose shown picture is nearest, by cosine, to the catalogue picture of another item.

    Args:
        shown: [I, D] features of the pictures shown, standardised as the model does.
        is_shown: [I] bool, items that are shown with a picture.
        catalogue: [I, D] features of the catalogue pictures, standardised alike.
        in_catalogue: [I] bool, items with a catalogue picture; another item is nearest where an item has none.

    Returns:
        [I] bool; False where no picture is shown.
    """
    found: Array = np.zeros(len(shown), dtype=bool)
    items, known = np.flatnonzero(is_shown), np.flatnonzero(in_catalogue)
    if not len(items) or not len(known):
        return found
    cosines = _unit(shown[items]) @ _unit(catalogue[known]).T  # [shown, known]
    own = np.where(items[:, None] == known[None, :], cosines, -np.inf).max(axis=1)
    found[items] = own < cosines.max(axis=1) - _EQUAL
    return found


def _unit(matrix: Array) -> Array:
    matrix = np.asarray(matrix, dtype=np.float64)
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def item_groups(row_ids: Array, topk_items: Array, positives: tuple[Array, Array], groups: Mapping[str, Array], *,
                metrics: Sequence[str], topk: Sequence[int], min_group: int = 20) -> dict[str, ItemGroup]:
    """Ranking metrics restricted to the positives of one kind of item.

    The lists stay as they are: only positives of the kind count as hits and as what there is to find, so that Recall is
    the share of them in the list, Precision the share of the list that they are, and NDCG and MAP are measured against
    a list that begins with them.

    Args:
        row_ids: [N] distinct user ids.
        topk_items: [N, K] listed item ids, best first, 0 where a list ends early.
        positives: user ids [P] and item ids [P] of the rows' positives.
        groups: kind to [I] bool over item ids.
        metrics: names among ``ROW_METRICS``, any case.
        topk: cut-offs, none above K.
        min_group: fewer rows have no mean shown (design 7).
    """
    size = max((len(mask) for mask in groups.values()), default=0)
    place = {int(user): row for row, user in enumerate(row_ids)}
    rows = np.array([place[int(user)] for user in positives[0]], dtype=np.int64)
    keys, first = np.unique(rows * size + positives[1], return_index=True)
    rows, items = rows[first], np.asarray(positives[1])[first]
    hits = np.isin(np.arange(len(row_ids))[:, None] * size + topk_items, keys) & (topk_items > 0)  # [N, K]
    found = {}
    for name, mask in groups.items():
        counts = np.bincount(rows[mask[items]], minlength=len(row_ids))
        inside = counts > 0
        columns = {f"{metric.lower()}@{k}": np.full(len(row_ids), np.nan) for metric in metrics for k in topk}
        if inside.any():
            its = rank_metrics((hits & mask[topk_items])[inside], counts[inside], metrics, topk)
            for key, values in its.items():
                columns[key][inside] = values
        found[name] = ItemGroup(inside, columns, group_table(columns, {name: inside}, min_group=min_group)[name])
    return found
