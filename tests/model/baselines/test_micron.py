"""MICRON: the recursion over visits and its losses, against loops."""
from __future__ import annotations

import logging
from typing import Any, Callable, Iterator

import pytest
import torch

from recbole_medmoe.layers.set_losses import interaction_loss, interaction_rate, multi_label_margin

Maker = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture
def built(visit_data: Maker) -> Maker:
    def make(**keys: Any) -> tuple[Any, Any]:
        config, train, _, _ = visit_data("MICRON", width=6, **keys)
        torch.manual_seed(0)
        return config.spec.load()(config, train._dataset).eval(), train

    return make


def _health(model: Any, tables: Any, visit: int) -> torch.Tensor:
    codes = [sum((model.embeddings[kind].weight[code] for code in tables.codes[kind].row(visit)), torch.zeros(6))
             for kind in ("diag", "proc")]
    return model.health_net(torch.cat(codes))


def test_medications_are_those_of_the_first_visit_and_all_changes(built: Maker) -> None:
    model, train = built()
    tables = train._dataset.visits
    every = torch.arange(1, len(train._dataset.user_tokens))
    scores = model.forward(model.user_inputs(every), {})
    depths = set()
    for visit, found in zip(every.tolist(), scores):
        health = [_health(model, tables, one) for one in (*tables.history.row(visit), visit)]
        wanted = model.medication_net(health[0])
        for before, now in zip(health, health[1:]):
            wanted = wanted + model.medication_net(now - before)
        depths.add(len(health))
        assert torch.allclose(found, wanted, atol=1e-5)
    assert depths == {1, 2, 3}


def test_where_nothing_changes_nothing_is_added(built: Maker) -> None:
    model, _ = built()
    known = {"diag": ["gout"], "proc": ["scan1"]}
    once, again = model.score_features(model.patients().encode([
        {**known, "earlier": None}, {**known, "earlier": [{**known, "medications": ["iron"]}]}]))
    assert torch.allclose(once, again, atol=1e-6)


def test_the_loss_is_that_of_the_equations(built: Maker) -> None:
    weights = {"margin_weight": 0.2, "reconstruction_weight": 0.7, "ddi_weight": 0.3, "target_ddi": 0.04,
               "current_share": 0.6, "dropout": 0.0}
    model, train = built(**weights)
    dataset = train._dataset
    tables, visits = dataset.visits, torch.arange(1, len(dataset.user_tokens))
    truth = dataset.visit_truth(visits).float()
    total, counted = 0.0, 0
    for visit, given in zip(visits.tolist(), truth[:, 1:]):
        now = _health(model, tables, visit)
        scores = model.medication_net(now)[1:]
        shares = torch.sigmoid(scores)
        loss, history = _fit(shares, given), tables.history.row(visit)
        if history:
            before = _health(model, tables, history[-1])
            old, change = model.medication_net(before)[1:], model.medication_net(now - before)[1:]
            former = dataset.visit_truth(torch.tensor(history[-1:]))[0, 1:].float()
            loss = 0.6 * loss + 0.4 * _fit(torch.sigmoid(old), former)
            loss = loss + 0.7 * (torch.sigmoid(old + change) - shares).square().mean()
        if float(interaction_rate((scores >= 0).float()[None], model.interacting)) > 0.04:
            counted += 1
            loss = loss + 0.3 * float(interaction_loss(shares[None], model.interacting))
        total += float(loss)
    assert 0 < counted < len(visits)
    assert float(model.visit_loss(model.user_inputs(visits), truth)) == pytest.approx(total / len(visits), abs=1e-5)


def _fit(shares: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    bce = -(given * shares.log() + (1 - given) * (1 - shares).log()).mean()
    return bce + 0.2 * multi_label_margin(shares[None], given[None])[0]


def test_without_a_list_the_loss_has_no_interactions_and_the_log_says_so(own_visits: Any, visit_data: Maker,
                                                                         caplog: pytest.LogCaptureFixture) -> None:
    (own_visits / "ddi.csv").unlink()
    with caplog.at_level(logging.WARNING, logger="recbole_medmoe"):
        config, train, _, _ = visit_data("MICRON", folder=own_visits)
        model = config.spec.load()(config, train._dataset)
    assert [record.getMessage() for record in caplog.records if record.name == "recbole_medmoe"] == [
        "MICRON: no list of interactions (ddi.csv): their loss is left out"]
    visits = torch.tensor([1, 2])
    truth = train._dataset.visit_truth(visits).float()
    assert torch.isfinite(model.visit_loss(model.user_inputs(visits), truth))
