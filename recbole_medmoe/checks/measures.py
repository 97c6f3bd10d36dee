"""Small measures that several checks take."""
from __future__ import annotations

from typing import Any, Mapping

import torch
from torch import Tensor

from .report import CheckFailed

CLOSE = 1e-5
"""Largest difference of two scores that should be equal, as a share of the largest score (of 1 where all are smaller).
"""


def gap(first: Tensor, second: Tensor) -> float:
    """Largest difference of two score tensors of one shape, relative to the largest score; inf where one is no number.

    Places where both are the same infinity count as equal.
    """
    first, second = first.detach().double().cpu(), second.detach().double().cpu()
    apart = torch.where(first == second, torch.zeros_like(first), (first - second).abs())
    if not torch.isfinite(apart).all():
        return float("inf")
    size = first[torch.isfinite(first)].abs()
    return float(apart.max()) / max(1.0, float(size.max()) if len(size) else 1.0)


def want_close(first: Tensor, second: Tensor, what: str, limit: float = CLOSE) -> str:
    """Says how far two score tensors are apart.

    Raises:
        CheckFailed: further than the limit.
    """
    if first.shape != second.shape:
        raise CheckFailed(f"{what}: shapes {tuple(first.shape)} and {tuple(second.shape)}")
    found = gap(first, second)
    if not found <= limit:
        raise CheckFailed(f"{what}: differ by {found:.2g} of the largest score, at most {limit:g} is allowed")
    return f"{found:.1g}"


def want_finite(scores: Tensor, what: str) -> None:
    """Raises `CheckFailed` with the number of values that are NaN or infinite, if there are any."""
    wrong = int((~torch.isfinite(scores)).sum())
    if wrong:
        raise CheckFailed(f"{what}: {wrong} of {scores.numel()} scores are not finite")


def want_finite_metrics(metrics: Mapping[str, Any], what: str) -> None:
    """Raises `CheckFailed` with the names of the metrics that are NaN or infinite, if there are any."""
    wrong = [f"{name} = {value}" for name, value in metrics.items() if not torch.isfinite(torch.tensor(float(value)))]
    if wrong:
        raise CheckFailed(f"{what}: {', '.join(wrong)}")


def differing(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that two ``state_dict`` do not share bit for bit, with the largest difference."""
    found = [name for name in first if name not in second] + [name for name in second if name not in first]
    for name in (name for name in first if name in second):
        if first[name].shape != second[name].shape:
            found.append(name)
        elif not torch.equal(first[name], second[name]):
            found.append(f"{name} (by {(first[name].double() - second[name].double()).abs().max():.2g})")
    return found
