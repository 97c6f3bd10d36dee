"""GAMENet: graphs, memories and the combined loss, against loops."""
from __future__ import annotations

import logging
import math
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.layers.set_losses import interaction_loss, interaction_rate, multi_label_margin

Maker = Callable[..., Any]
KINDS = ("diag", "proc")


@pytest.fixture
def built(visit_data: Maker) -> Maker:
    def make(**keys: Any) -> tuple[Any, Any]:
        config, train, _, _ = visit_data("GAMENet", width=6, **keys)
        torch.manual_seed(0)
        return config.spec.load()(config, train._dataset).eval(), train

    return make


def _normal(graph: torch.Tensor) -> torch.Tensor:
    linked = graph + torch.eye(len(graph))
    return torch.stack([torch.stack([linked[i, j] / math.sqrt(float(linked[i].sum() * linked[j].sum()))
                                     for j in range(len(graph))]) for i in range(len(graph))])


def test_the_ehr_graph_counts_training_visits_alone(built: Maker) -> None:
    model, train = built()
    dataset = train._dataset
    counts = torch.zeros(12, 12)
    for visit in dataset.train_users.nonzero().squeeze(-1).tolist():
        for one in dataset.visits.medications.row(visit):
            for other in dataset.visits.medications.row(visit):
                counts[one - 1, other - 1] += 1
    assert torch.allclose(model.ehr_graph, _normal(counts), atol=1e-6)
    assert torch.allclose(model.ddi_graph, _normal(dataset.ddi[1:, 1:].float()), atol=1e-6)


def test_scores_are_those_of_the_equations(built: Maker, gru_states: Maker) -> None:
    model, train = built()
    tables = train._dataset.visits
    every = torch.arange(1, len(train._dataset.user_tokens))
    scores = model.forward(model.user_inputs(every), {})
    graphs = [part.linear(graph @ torch.tanh(graph @ part.vectors))
              for part, graph in ((model.ehr, model.ehr_graph), (model.ddi_network, model.ddi_graph))]
    bank = graphs[0] - model.beta * graphs[1]
    for visit, found in zip(every.tolist(), scores):
        history = tables.history.row(visit)
        states = [gru_states(model.rnns[kind], torch.stack([
            sum((model.embeddings[kind].weight[code] for code in tables.codes[kind].row(one)), torch.zeros(6))
            for one in (*history, visit)])) for kind in KINDS]
        *keys, q = model.query(torch.cat(states, dim=-1))
        content = torch.softmax(bank @ q, dim=0) @ bank
        past = torch.zeros(12)
        if history:
            s = torch.softmax(torch.stack([key @ q for key in keys]), dim=0)
            for weight, old in zip(s, history):
                for item in tables.medications.row(old):
                    past[item - 1] += weight
        wanted = model.output(torch.cat([q, content, past @ bank]))
        assert torch.allclose(found, wanted, atol=1e-5)


def _loss(model: Any, scores: torch.Tensor, truth: torch.Tensor) -> float:
    torch.manual_seed(1)
    return float(model.set_loss(torch.nn.functional.pad(scores, (1, 0)), torch.nn.functional.pad(truth, (1, 0))))


def test_a_set_that_interacts_too_often_pays_for_it_by_chance(built: Maker) -> None:
    model, _ = built(target_ddi=0.0, temperature=0.5, bce_weight=0.9)
    scores = torch.randn(400, 12, generator=torch.Generator().manual_seed(3))
    truth = (torch.rand(400, 12, generator=torch.Generator().manual_seed(4)) < 0.3).float()
    shares, ddi = torch.sigmoid(scores), model.interacting
    bce = -(truth * shares.log() + (1 - truth) * (1 - shares).log()).mean(-1)
    usual = 0.9 * bce + 0.1 * multi_label_margin(shares, truth)
    rate = interaction_rate((scores >= 0).float(), ddi)
    torch.manual_seed(1)
    drawn = (rate > 0) & (torch.rand(400) < torch.exp(-rate / 0.5))
    assert 50 < int(drawn.sum()) < int((rate > 0).sum())
    wanted = torch.where(drawn, interaction_loss(shares, ddi), usual).mean()
    assert _loss(model, scores, truth) == pytest.approx(float(wanted), abs=1e-6)


def test_sets_within_the_target_train_as_if_there_were_no_list(built: Maker) -> None:
    model, _ = built(target_ddi=1.0, bce_weight=1.0)
    scores, truth = torch.ones(3, 12), torch.ones(3, 12)
    assert _loss(model, scores, truth) == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-6)


def test_the_temperature_falls_with_every_epoch(built: Maker, fit: Maker) -> None:
    model, train = built(target_ddi=0.0, temperature=0.5, temperature_decay=0.5)
    visits = int(train._dataset.train_users.sum())
    fit(model, train, epochs=2)
    assert int(model.trained) == 2 * visits
    scores, truth = torch.full((4000, 12), 1.0), torch.zeros(4000, 12)   # every set holds all twelve
    rate = float(interaction_rate(torch.ones(1, 12), model.interacting))
    usual, other = (float(value) for value in (_of_one(model, 0.0), _of_one(model, 1.0)))
    found = _loss(model, scores, truth)
    assert (found - usual) / (other - usual) == pytest.approx(math.exp(-rate / 0.125), abs=0.03)


def _of_one(model: Any, share: float) -> torch.Tensor:
    """Loss of a set of all twelve that no visit had: the usual one (0) or its interactions (1)."""
    shares, truth = torch.sigmoid(torch.ones(1, 12)), torch.zeros(1, 12)
    usual = model.params.bce_weight * -(1 - shares).log().mean() + (
        1 - model.params.bce_weight) * multi_label_margin(shares, truth)
    return interaction_loss(shares, model.interacting) if share else usual


def test_without_a_list_the_ddi_graph_is_left_out_and_the_log_says_so(own_visits: Any, visit_data: Maker,
                                                                      caplog: pytest.LogCaptureFixture) -> None:
    (own_visits / "ddi.csv").unlink()
    with caplog.at_level(logging.WARNING, logger="recbole_medmoe"):
        config, train, _, _ = visit_data("GAMENet", folder=own_visits)
        model = config.spec.load()(config, train._dataset)
    assert [record.getMessage() for record in caplog.records if record.name == "recbole_medmoe"] == [
        "GAMENet: no list of interactions (ddi.csv): the DDI graph and its loss are left out"]
    assert torch.equal(model.memory_bank(), model.ehr(model.ehr_graph))
    assert not [name for name, _ in model.named_parameters() if name.startswith(("ddi_", "beta"))]
    assert torch.isfinite(model.set_loss(torch.ones(2, 13), torch.ones(2, 13)))
    assert train._dataset.statistics["ddi"] == "no list"
