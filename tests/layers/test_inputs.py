"""ModalityInput: scaling by training rows, and the learned vector for absent ones."""
from __future__ import annotations

import torch

from recbole_medmoe.layers import ModalityInput


def test_fitted_rows_are_centred_and_of_length_one_on_average() -> None:
    rows = torch.randn(200, 30) * torch.linspace(0.1, 50, 30) + 7
    module = ModalityInput(30)
    module.fit(rows)
    seen = module(rows, torch.ones(200, dtype=torch.bool))
    assert torch.allclose(seen.mean(0), torch.zeros(30), atol=1e-4)
    assert torch.allclose(seen.square().sum(-1).mean(), torch.tensor(1.0), atol=1e-4)


def test_a_column_that_never_changes_stays_finite() -> None:
    rows = torch.ones(5, 2)
    module = ModalityInput(2)
    module.fit(rows)
    assert torch.isfinite(module(rows, torch.ones(5, dtype=torch.bool))).all()


def test_absent_rows_get_the_learned_vector_whatever_they_hold() -> None:
    module = ModalityInput(3)
    with torch.no_grad():
        module.absent.copy_(torch.tensor([1.0, 2.0, 3.0]))
    seen = module(torch.full((2, 3), 99.0), torch.tensor([False, True]))
    assert seen[0].tolist() == [1.0, 2.0, 3.0] and seen[1].tolist() == [99.0] * 3


def test_hidden_rows_train_the_vector_for_absent_ones() -> None:
    torch.manual_seed(0)
    module = ModalityInput(3, hide=0.5)
    module(torch.randn(50, 3), torch.ones(50, dtype=torch.bool)).sum().backward()
    assert module.absent.grad is not None and 0 < float(module.absent.grad[0]) < 50


def test_nothing_is_hidden_outside_training() -> None:
    module = ModalityInput(3, hide=0.9).eval()
    x = torch.randn(50, 3)
    assert torch.equal(module(x, torch.ones(50, dtype=torch.bool)), x)


def test_no_training_row_leaves_features_as_they_are() -> None:
    module = ModalityInput(3)
    module.fit(torch.zeros(0, 3))
    x = torch.randn(2, 3)
    assert torch.equal(module(x, torch.ones(2, dtype=torch.bool)), x)


def test_the_features_that_are_given_stay_as_they_are() -> None:
    module = ModalityInput(3, hide=0.5)
    module.fit(torch.randn(20, 3))
    x = torch.randn(50, 3)
    kept = x.clone()
    module(x, torch.ones(50, dtype=torch.bool)).sum().backward()
    assert torch.equal(x, kept)


def test_absent_rows_may_hold_anything_even_nan() -> None:
    seen = ModalityInput(3)(torch.full((2, 3), torch.nan), torch.tensor([False, False]))
    assert torch.equal(seen, torch.zeros(2, 3))
