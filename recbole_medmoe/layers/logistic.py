"""Logistic regression to its optimum, for many outputs at once."""
from __future__ import annotations

from typing import NamedTuple, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_STEPS = 500


class LogisticFit(NamedTuple):
    """``logits = x @ weights + intercept``: weights [D, O], intercept [O]."""

    weights: Tensor
    intercept: Tensor

    def logits(self, x: Tensor) -> Tensor:
        """x [N, D], dense or sparse -> [N, O]."""
        return torch.addmm(self.intercept.expand(x.shape[0], -1), x, self.weights)


def fit_logistic(x: Tensor, y: Tensor, penalty: float, *, offset: Tensor | None = None,
                 start: LogisticFit | None = None) -> LogisticFit:
    """Minimises the summed binary cross-entropy plus ``penalty / 2`` times the squared weights, by L-BFGS.

    Intercepts are not penalised. Each output is scikit-learn's ``LogisticRegression(C=1 / penalty)``.

    Args:
        x: features [N, D], dense or sparse.
        y: targets, 0 or 1 [N, O].
        penalty: above 0.
        offset: known part of the logits [N, O].
        start: where to begin, e.g. the fit of another penalty.

    Raises:
        ValueError: no rows, or a penalty that is not positive.
    """
    if not x.shape[0] or penalty <= 0:
        raise ValueError(f"logistic regression needs rows and a positive penalty; got {x.shape[0]} and {penalty}")
    if start is None:
        share = (y.sum(0) + 0.5) / (len(y) + 1)
        start = LogisticFit(y.new_zeros(x.shape[1], y.shape[1]), torch.logit(share) if offset is None else share * 0)
    fit = LogisticFit(*(value.clone() for value in start))
    flipped = x.t().coalesce() if x.is_sparse else x.t()

    def loss() -> Tensor:
        """Loss, and its gradients, written out: autograd would keep [N, O] several times over."""
        logits = fit.logits(x) if offset is None else fit.logits(x) + offset
        error = torch.sigmoid(logits) - y  # [N, O]
        fit.weights.grad, fit.intercept.grad = flipped @ error + penalty * fit.weights, error.sum(0)
        return F.binary_cross_entropy_with_logits(logits, y, reduction="sum") + penalty / 2 * fit.weights.square().sum()

    with torch.no_grad():
        torch.optim.LBFGS(list(fit), max_iter=_STEPS, tolerance_grad=1e-5, tolerance_change=1e-9, history_size=10,
                          line_search_fn="strong_wolfe").step(loss)
    return LogisticFit(*(value.detach() for value in fit))


def choose_penalty(x: Tensor, y: Tensor, held: Tensor, penalties: Sequence[float]) -> float:
    """The penalty with the smallest cross-entropy on rows held out, found from the largest one downwards.

    Args:
        held: [N] bool, rows that the fits do not see. Other arguments as `fit_logistic`.
    """
    descending = sorted(penalties, reverse=True)
    if len(descending) == 1:
        return descending[0]
    seen, rest = (torch.nonzero(mask).squeeze(-1) for mask in (~held, held))
    best, chosen, fit = float("inf"), descending[0], None
    for penalty in descending:  # each fit starts from a smoother one
        fit = fit_logistic(x.index_select(0, seen), y[seen], penalty, start=fit)
        lost = float(F.binary_cross_entropy_with_logits(fit.logits(x.index_select(0, rest)), y[rest]))
        if lost > best:
            break
        best, chosen = lost, penalty
    return chosen
