"""VisitLR."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from recbole_medmoe.errors import ConfigError

Maker = Callable[..., Any]


@pytest.fixture
def solved(visit_data: Maker, fit: Maker) -> Maker:
    def make(**keys: Any) -> tuple[Any, Any]:
        config, train, _, test = visit_data("VisitLR", **keys)
        model = config.spec.load()(config, train._dataset)
        fit(model, train)
        return model, train._dataset

    return make


def _codes(dataset: Any, visits: torch.Tensor, kinds: tuple[str, ...]) -> np.ndarray:
    tables = dataset.visits
    blocks = []
    for kind in kinds:
        block = np.zeros((len(visits), len(tables.vocabulary[kind])))
        for row, visit in enumerate(visits.tolist()):
            block[row, tables.codes[kind].row(visit)] = 1
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


@pytest.mark.parametrize("kinds", [("diag",), ("diag", "proc")])
def test_each_medication_is_scikit_learns_regression(solved: Maker, kinds: tuple[str, ...]) -> None:
    model, dataset = solved(codes=list(kinds), copy_earlier=False, penalties=[1.0])
    trained = dataset.train_users.nonzero().squeeze(-1)
    every = torch.arange(1, len(dataset.user_tokens))
    scores = model.forward(model.user_inputs(every), {}).numpy(force=True)
    truth = dataset.visit_truth(trained).numpy()
    for item in (1, 5, 12):
        known = LogisticRegression(tol=1e-8, max_iter=1000).fit(_codes(dataset, trained, kinds), truth[:, item])
        assert np.allclose(scores[:, item], known.decision_function(_codes(dataset, every, kinds)), atol=1e-2)


EARLIER = [{"medications": ["iron"]}, {"medications": ["folate", "iron"]}, {"diag": ["gout"]}]


def _scores(model: Any) -> list[torch.Tensor]:
    visits = [{"diag": ["gout"], "proc": None, "earlier": earlier} for earlier in (None, EARLIER)]
    return list(model.score_features(model.patients().encode(visits)))


def test_earlier_medications_are_raised_by_one_weight_and_their_share(solved: Maker) -> None:
    model, _ = solved(penalties=[1.0])
    plain, other = _scores(model)
    share = {"iron": 2 / 3, "folate": 1 / 3}
    wanted = [float(model.copy_weight) * share.get(token, 0.0) + float(model.copy_offset)
              for token in model.item_tokens[1:]]
    assert (other - plain)[1:].tolist() == pytest.approx(wanted, abs=1e-5)


def test_without_copies_history_has_no_effect(solved: Maker) -> None:
    plain, other = _scores(solved(copy_earlier=False, penalties=[1.0])[0])
    assert torch.equal(plain, other)


def test_the_copy_weight_is_fitted_beside_regressions_of_other_patients(solved: Maker) -> None:
    model, dataset = solved(codes=["diag"], penalties=[3.0])
    trained = dataset.train_users.nonzero().squeeze(-1)
    x, y = _codes(dataset, trained, ("diag",)), dataset.visit_truth(trained)[:, 1:].numpy()
    _, patient = np.unique(dataset.clusters([dataset.user_tokens[visit] for visit in trained.tolist()]),
                           return_inverse=True)
    rows = []
    for visit, number, seen, codes in zip(trained.tolist(), patient, y, x):
        history = dataset.visits.history.row(visit)
        if history:
            share = dataset.visit_truth(torch.tensor(history)).float().mean(0)[1:].numpy()
            rows.append((number % 5, codes, share, seen))
    gradient = np.zeros(2)   # of the copy weight and its offset, where the fit says that it is zero
    for fold, codes, share, seen in rows:
        others = patient % 5 != fold
        for item in range(y.shape[1]):
            known = LogisticRegression(C=1 / 3, tol=1e-8, max_iter=1000).fit(x[others], y[others, item])
            logit = known.decision_function(codes[None])[0] + float(model.copy_weight) * share[item]
            error = 1 / (1 + np.exp(-logit - float(model.copy_offset))) - seen[item]
            gradient += error * np.array([share[item], 1.0])
    assert gradient[0] + float(model.copy_weight) == pytest.approx(0, abs=0.05)
    assert gradient[1] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("kept", [1, 3])
def test_few_training_patients_are_enough(solved: Maker, kept: int) -> None:
    model, dataset = solved(train_share=kept / 18)
    visits = torch.arange(1, len(dataset.user_tokens))
    assert len(set(dataset.clusters([dataset.user_tokens[visit] for visit in torch.unique(
        dataset.inter_feat["visit_id"]).tolist()]))) == kept
    assert torch.isfinite(model.forward(model.user_inputs(visits), {})).all()


def test_the_penalty_is_chosen_on_patients_held_out(solved: Maker) -> None:
    chosen, weak = solved(penalties=[0.1, 1e5])[0], solved(penalties=[0.1])[0]
    assert torch.equal(chosen.weights["diag"], weak.weights["diag"])


def test_a_penalty_of_zero_is_refused(visit_config: Maker) -> None:
    with pytest.raises(ConfigError, match="every penalty must be above 0"):
        visit_config("VisitLR", penalties=[0.0])
