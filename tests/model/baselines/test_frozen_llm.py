"""FrozenLLM, with a tiny Llama as its backbone."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.data import VisitDataset

Maker = Callable[..., Any]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("visit_llama"))


@pytest.fixture
def built(visit_data: Maker, llama: Path, tmp_path: Path) -> Maker:
    def make(**keys: Any) -> tuple[Any, Any]:
        config, train, _, _ = visit_data("FrozenLLM", backbone=str(llama), cache_dir=str(tmp_path), progress=False,
                                         **keys)
        torch.manual_seed(0)
        return config.spec.load()(config, train._dataset), train

    return make


def test_scores_are_a_linear_map_of_the_state_of_the_prompt(built: Maker) -> None:
    model, train = built(readout="last", state_scale=2.0)
    dataset: VisitDataset = train._dataset
    states, present = dataset.features(model.requests[0])
    assert states.shape[1] == 16 and int(present.sum()) == len(dataset.texts("user"))
    seen = states[dataset.train_users & present]
    rows = torch.tensor([3, 1, 20])
    head = model.eval().head[1]
    wanted = 2 * (states[rows] - seen.mean(0)) / (seen.std(0, unbiased=False) * 4) @ head.weight.T + head.bias
    assert torch.allclose(model.forward(model.user_inputs(rows), {}), wanted, atol=1e-4)


def test_a_visit_without_a_text_gets_what_was_learned_for_such(built: Maker) -> None:
    model, train = built(readout="mean")
    dataset = train._dataset
    (bare,) = (visit for visit in range(1, len(dataset.user_tokens))
               if dataset.user_tokens[visit] not in dataset.texts("user"))
    with torch.no_grad():
        model.inputs["user_llm"].absent.fill_(1.0)
    head = model.eval().head
    assert torch.allclose(model.forward(model.user_inputs(torch.tensor([bare])), {})[0], head(torch.ones(16)))


def test_only_the_head_and_the_absent_vector_learn(built: Maker, fit: Maker) -> None:
    model, train = built()
    first, last = fit(model, train), fit(model, train, epochs=20)
    assert last < first
    assert {name for name, _ in model.named_parameters()} == {"head.1.weight", "head.1.bias", "inputs.user_llm.absent"}


def test_a_visit_written_by_hand_is_read_by_its_text(built: Maker) -> None:
    model, _ = built(readout="last")
    visits = [{"text": text, "diag": None, "proc": None, "earlier": None}
              for text in ("Visit for gout. Done: .", "Visit for anaemia. Done: .", None)]
    scores = model.score_features(model.patients().encode(visits))
    assert torch.isfinite(scores).all() and not torch.allclose(scores[0], scores[1])
