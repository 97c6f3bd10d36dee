"""ClosedForm: solved once, on the first batch."""
from __future__ import annotations

from typing import Any, Callable

import torch
from recbole.utils import ModelType

Maker = Callable[..., Any]


def test_it_is_solved_on_the_first_batch_and_never_again(built: Maker, monkeypatch: Any) -> None:
    model, train, _, _ = built("BowRidge")
    calls = []
    original = type(model).solve
    monkeypatch.setattr(type(model), "solve", lambda self, *given: (calls.append(1), original(self, *given)))
    for batch in list(train) * 3:
        assert float(model.calculate_loss(batch).detach()) == 0.0
    assert len(calls) == 1


def test_targets_are_the_training_rows_of_training_users(built: Maker, monkeypatch: Any) -> None:
    model, train, _, _ = built("BowRidge")
    given = []
    monkeypatch.setattr(type(model), "solve", lambda self, users, targets: given.extend([users, targets]))
    model.calculate_loss(next(iter(train)))
    users, targets = given
    assert users.tolist() == train._dataset.train_users.nonzero().squeeze(-1).tolist()
    assert int(targets.sum()) == len(train._dataset) and set(torch.unique(targets).tolist()) == {0.0, 1.0}


def test_recbole_gives_it_one_epoch(built: Maker) -> None:
    assert built("BowRidge")[0].type == ModelType.TRADITIONAL
