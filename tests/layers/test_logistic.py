"""Logistic regressions, against scikit-learn's."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from recbole_medmoe.layers.logistic import choose_penalty, fit_logistic


@pytest.fixture
def rows() -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.Generator().manual_seed(0)
    x = (torch.rand(120, 9, generator=noise) < 0.3).float()
    y = (x @ torch.randn(9, 4, generator=noise) + 0.5 * torch.randn(120, 4, generator=noise) > 0).float()
    return x, y


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("penalty", [0.3, 10.0])
def test_each_output_is_scikit_learns_regression(rows: tuple[torch.Tensor, torch.Tensor], sparse: bool,
                                                 penalty: float) -> None:
    x, y = rows
    fit = fit_logistic(x.to_sparse() if sparse else x, y, penalty)
    for output in range(y.shape[1]):
        known = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=5000).fit(x.numpy(), y[:, output].numpy())
        assert np.allclose(fit.weights[:, output], known.coef_[0], atol=5e-3)
        assert np.allclose(fit.intercept[output], known.intercept_[0], atol=5e-3)


def test_an_offset_is_a_feature_whose_weight_is_one(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = rows
    offset = torch.linspace(-2, 2, y.numel()).view_as(y)
    fit = fit_logistic(x, y, 2.0, offset=offset)
    error = torch.sigmoid(fit.logits(x) + offset) - y
    assert torch.allclose(x.T @ error, -2.0 * fit.weights, atol=0.02)   # where the gradient is zero is the optimum
    assert torch.allclose(error.sum(0), torch.zeros(y.shape[1]), atol=0.02)


def test_where_a_fit_starts_does_not_matter(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = rows
    smooth = fit_logistic(x, y, 100.0)
    kept = smooth.weights.clone()
    for first, second in zip(fit_logistic(x, y, 1.0), fit_logistic(x, y, 1.0, start=smooth)):
        assert torch.allclose(first, second, atol=5e-3)
    assert torch.equal(smooth.weights, kept)


def test_an_output_that_nobody_has_stays_unlikely(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = rows
    y = y.clone()
    y[:, 0] = 0
    logits = fit_logistic(x, y, 1.0).logits(x)
    assert torch.isfinite(logits).all() and logits[:, 0].max() < -4


def test_the_penalty_is_the_best_on_rows_held_out(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = rows
    held = torch.arange(len(x)) % 5 == 0
    penalties = [0.01, 1.0, 1000.0]
    losses = []
    for penalty in penalties:
        fit = fit_logistic(x[~held], y[~held], penalty)
        logits = fit.logits(x[held])
        losses.append(float(torch.nn.functional.binary_cross_entropy_with_logits(logits, y[held])))
    assert choose_penalty(x, y, held, penalties) == penalties[int(np.argmin(losses))]


def test_a_penalty_alone_is_taken() -> None:
    assert choose_penalty(torch.zeros(0, 1), torch.zeros(0, 1), torch.zeros(0), [2.0]) == 2.0


def test_no_rows_and_no_penalty_are_refused() -> None:
    with pytest.raises(ValueError, match="positive penalty"):
        fit_logistic(torch.zeros(2, 1), torch.zeros(2, 1), 0.0)
