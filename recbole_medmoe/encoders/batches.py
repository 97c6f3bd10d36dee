"""Length-bucketed batches under a token budget. No torch."""
from __future__ import annotations

from typing import Sequence


def token_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Packs rows of like length, so that little is padded and no batch is larger than the budget.

    The longest come first: if memory runs out, it does at once. A row longer than the budget has a batch of its own.

    Args:
        lengths: tokens per row [N].
        budget: most tokens per batch, padding included.

    Returns:
        Row numbers of each batch; together every row once.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    width = 0
    for row in order:
        if not batches or width * (len(batches[-1]) + 1) > budget:
            batches.append([])
            width = max(1, lengths[row])
        batches[-1].append(row)
    return batches


def row_batches(count: int, rows: int) -> list[range]:
    """Cuts ``count`` rows into runs of at most ``rows``."""
    return [range(start, min(start + rows, count)) for start in range(0, count, rows)]
