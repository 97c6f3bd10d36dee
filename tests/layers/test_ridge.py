"""Ridge against scikit-learn and against leaving each row out for real."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge, RidgeCV

from recbole_medmoe.layers import ridge_leave_one_out

PENALTIES = [0.1, 1.0, 10.0, 100.0]


def _data(rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    noise = np.random.default_rng(0)
    x = noise.normal(size=(rows, columns)) + 3
    y = x @ noise.normal(size=(columns, 4)) * 0.3 + noise.normal(size=(rows, 4)) + 5
    return torch.tensor(x), torch.tensor(y)


@pytest.mark.parametrize("rows, columns", [(40, 7), (20, 50)])
def test_weights_equal_scikit_learn(rows: int, columns: int) -> None:
    x, y = _data(rows, columns)
    fit = ridge_leave_one_out(x, y, [2.5])
    known = Ridge(alpha=2.5).fit(x.numpy(), y.numpy())
    assert np.allclose(fit.weights.numpy().T, known.coef_, atol=1e-5)
    assert np.allclose(fit.intercept.numpy(), known.intercept_, atol=1e-4)


@pytest.mark.parametrize("rows, columns", [(40, 7), (20, 50)])
def test_penalty_is_the_one_that_scikit_learn_chooses(rows: int, columns: int) -> None:
    x, y = _data(rows, columns)
    assert ridge_leave_one_out(x, y, PENALTIES).penalty == RidgeCV(alphas=PENALTIES).fit(x.numpy(), y.numpy()).alpha_


def test_error_equals_leaving_each_row_out() -> None:
    x, y = _data(15, 6)
    errors = []
    for out in range(15):
        kept = [row for row in range(15) if row != out]
        model = Ridge(alpha=1.0).fit(x[kept].numpy(), y[kept].numpy())
        errors.append((model.predict(x[[out]].numpy())[0] - y[out].numpy()) ** 2)
    assert abs(ridge_leave_one_out(x, y, [1.0]).error - float(np.mean(errors))) < 1e-9


def test_columns_that_never_change_do_no_harm() -> None:
    x, y = _data(15, 6)
    x[:, 2] = 1.0
    assert torch.isfinite(ridge_leave_one_out(x, y, PENALTIES).weights).all()


@pytest.mark.parametrize("rows, penalties", [(1, [1.0]), (5, []), (5, [0.0])])
def test_too_few_rows_or_no_positive_penalty_is_refused(rows: int, penalties: list[float]) -> None:
    with pytest.raises(ValueError, match="two rows and positive penalties"):
        ridge_leave_one_out(torch.randn(rows, 2), torch.randn(rows, 1), penalties)
