"""RETAIN, against its equations written as loops over visits."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

Maker = Callable[..., Any]


@pytest.fixture
def built(visit_data: Maker) -> Maker:
    def make(**keys: Any) -> tuple[Any, Any]:
        config, train, _, _ = visit_data("RETAIN", width=6, hidden=5, **keys)
        torch.manual_seed(0)
        return config.spec.load()(config, train._dataset).eval(), train

    return make


def _visit(model: Any, tables: Any, visit: int, with_medications: bool) -> torch.Tensor:
    """v of one visit."""
    ids = {kind: tables.codes[kind].row(visit) for kind in ("diag", "proc")}
    if with_medications:
        ids["medications"] = tables.medications.row(visit)
    found = torch.zeros(6)
    for name, some in ids.items():
        for code in some:
            found = found + model.embeddings[name].weight[code]
    return found


def test_scores_are_those_of_the_equations(built: Maker, gru_states: Maker) -> None:
    model, train = built()
    tables = train._dataset.visits
    every = torch.arange(1, len(train._dataset.user_tokens))
    scores = model.forward(model.user_inputs(every), {})
    depths = set()
    for visit, found in zip(every.tolist(), scores):
        history = tables.history.row(visit)
        depths.add(len(history))
        backwards = torch.stack([_visit(model, tables, visit, False),
                                 *(_visit(model, tables, old, True) for old in reversed(history))])
        g, h = gru_states(model.alpha_rnn, backwards), gru_states(model.beta_rnn, backwards)
        a = torch.softmax(g @ model.alpha.weight[0], dim=0)
        context = torch.zeros(6)
        for place, v in enumerate(backwards):
            context = context + a[place] * torch.tanh(model.beta.weight @ h[place] + model.beta.bias) * v
        assert torch.allclose(found, model.output.weight @ context + model.output.bias, atol=1e-5)
    assert depths == {0, 1, 2}


def test_the_order_of_earlier_visits_counts(built: Maker) -> None:
    model, _ = built()
    first, second = {"diag": ["gout"], "medications": ["iron"]}, {"diag": ["anaemia"], "medications": ["folate"]}
    one, other = model.score_features(model.patients().encode(
        [{"diag": ["gout"], "proc": None, "earlier": earlier} for earlier in ([first, second], [second, first])]))
    assert not torch.allclose(one, other)
