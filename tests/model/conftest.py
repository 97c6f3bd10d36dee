"""Shortcuts for model tests: every model on ``tinyfood`` with its default values."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch


@pytest.fixture
def built(food_data: Callable[..., Any]) -> Callable[..., Any]:
    """``built("MedMoE", split, **overrides)`` -> the model and its three loaders."""

    def make(name: str, split: str | None = None, **overrides: Any) -> tuple[Any, Any, Any, Any]:
        config, *loaders = food_data(name, split, **overrides)
        torch.manual_seed(0)
        return (config.spec.load()(config, loaders[0]._dataset), *loaders)

    return make


@pytest.fixture
def fit() -> Callable[..., Any]:
    """``fit(model, train, epochs)`` trains without any trainer and gives the last epoch's mean loss."""

    def run(model: Any, train: Any, epochs: int = 1, rate: float = 0.01) -> float:
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
        model.train()
        losses = []
        for _ in range(epochs):
            losses = []
            for batch in train:
                loss = model.calculate_loss(batch)
                loss = sum(loss) if isinstance(loss, tuple) else loss
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
        model.eval()
        return sum(losses) / len(losses)

    return run


@pytest.fixture
def recall() -> Callable[..., float]:
    """``recall(model, loader)``: mean share of a user's positives among as many top items, seen items left out."""

    @torch.no_grad()
    def score(model: Any, loader: Any) -> float:
        shares = []
        model.eval()
        for users, (seen_user, seen_item), row, item in loader:
            scores = model.full_sort_predict(users).view(len(users), -1)
            scores[:, 0] = scores[seen_user, seen_item] = -torch.inf
            for number in range(len(users)):
                wanted = set(item[row == number].tolist())
                shares.append(len(wanted & set(scores[number].topk(len(wanted)).indices.tolist())) / len(wanted))
        return sum(shares) / len(shares)

    return score


@pytest.fixture
def gru_states() -> Callable[..., torch.Tensor]:
    """``gru_states(rnn, inputs [V, D])`` -> states [V, H] of an ``nn.GRU``, written out step by step."""

    def run(rnn: torch.nn.GRU, inputs: torch.Tensor) -> torch.Tensor:
        state, states = torch.zeros(rnn.hidden_size), []
        for row in inputs:
            reset_in, update_in, new_in = (rnn.weight_ih_l0 @ row + rnn.bias_ih_l0).chunk(3)
            reset_old, update_old, new_old = (rnn.weight_hh_l0 @ state + rnn.bias_hh_l0).chunk(3)
            reset, update = torch.sigmoid(reset_in + reset_old), torch.sigmoid(update_in + update_old)
            state = (1 - update) * torch.tanh(new_in + reset * new_old) + update * state
            states.append(state)
        return torch.stack(states)

    return run
