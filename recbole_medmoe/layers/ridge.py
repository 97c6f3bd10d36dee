"""Ridge regression in closed form; the penalty is chosen by the exact leave-one-out error."""
from __future__ import annotations

from typing import NamedTuple, Sequence

import torch
from torch import Tensor


class RidgeFit(NamedTuple):
    """``y = x @ weights + intercept``: weights [D, O], intercept [O]; the penalty chosen, its leave-one-out error."""

    weights: Tensor
    intercept: Tensor
    penalty: float
    error: float


def ridge_leave_one_out(x: Tensor, y: Tensor, penalties: Sequence[float]) -> RidgeFit:
    """Fits all outputs at once, with one penalty for all and an intercept that is not penalised.

    One eigendecomposition of the smaller Gram matrix serves every penalty. With ``x = U S V'`` (x centred) and
    ``d = S^2 / (S^2 + penalty)`` the leave-one-out residual of row i is
    ``(y - U d U' y)_i / (1 - 1/N - sum_j d_j U_ij^2)``.

    Args:
        x: features [N, D].
        y: targets [N, O].
        penalties: values to choose from, each above 0.

    Raises:
        ValueError: fewer than two rows, or a penalty that is not positive.
    """
    if len(x) < 2 or not penalties or min(penalties) <= 0:
        raise ValueError(f"ridge needs two rows and positive penalties; got {len(x)} rows and {list(penalties)}")
    x, y = x.double(), y.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    left, power = _left_vectors(x)  # U [N, R], S^2 [R]
    inside = left.T @ y  # [R, O]
    best: tuple[float, float] | None = None
    for penalty in penalties:
        kept = power / (power + penalty)  # [R]
        residual = y - left @ (kept.unsqueeze(-1) * inside)  # [N, O]
        share = 1 - 1 / len(x) - (left.square() * kept).sum(-1)  # [N]
        error = float((residual / share.clamp(min=1e-9).unsqueeze(-1)).square().mean())
        if best is None or error < best[0]:
            best = error, penalty
    assert best is not None
    weights = (x.T @ left) @ (inside / (power + best[1]).unsqueeze(-1))  # [D, O]
    return RidgeFit(weights.float(), (y_mean - x_mean @ weights).float(), best[1], best[0])


def _left_vectors(x: Tensor) -> tuple[Tensor, Tensor]:
    """Left singular vectors [N, R] and squared singular values [R] of x [N, D], those of value zero left out."""
    wide = x.shape[0] <= x.shape[1]
    power, vectors = torch.linalg.eigh(x @ x.T if wide else x.T @ x)
    kept = power > power.max().clamp(min=1e-12) * 1e-10
    power, vectors = power[kept], vectors[:, kept]
    return (vectors if wide else x @ vectors / power.sqrt()), power
