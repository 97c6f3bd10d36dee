"""What every visit model does: inputs, loss, no look at medications to come, order, what is kept beside the weights."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from recbole.data.interaction import Interaction

from recbole_medmoe.atomic import read_atomic
from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import Catalogue, create_dataset, data_preparation
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.model import visit
from recbole_medmoe.model.baselines.closed_form import ClosedForm
from recbole_medmoe.registry import MODELS, find_model

Maker = Callable[..., Any]
NAMES = [spec.name for spec in MODELS if spec.task == "medication" and spec.needs == ("visits",)]
# Models that are trained step by step draw their start by number, and the order of rows numbers items.
SOLVED = [name for name in NAMES if issubclass(find_model(name).load(), ClosedForm)]


@pytest.fixture
def built(visit_data: Maker) -> Maker:
    def make(name: str, split: str | None = None, **overrides: Any) -> tuple[Any, ...]:
        config, *loaders = visit_data(name, split, **overrides)
        torch.manual_seed(0)
        return (config.spec.load()(config, loaders[0]._dataset), *loaders)

    return make


def _by_token(folder: Path, name: str, fit: Maker) -> tuple[Any, dict[str, dict[str, float]]]:
    """Scores of a model that is trained on a folder: visit to item to score."""
    config = MedConfig(name, folder.name, overrides={"data_path": str(folder.parent)})
    train = data_preparation(config, create_dataset(config))[0]
    dataset = train._dataset
    torch.manual_seed(0)
    model: Any = config.spec.load()(config, dataset)   # type: ignore[call-arg]
    fit(model, train)
    visits = torch.arange(1, len(dataset.user_tokens))
    # One by one: beside other visits the last bit may differ.
    scores = torch.stack([model.full_sort_predict(Interaction({"visit_id": visit})) for visit in visits.split(1)])
    return dataset, {dataset.user_tokens[place]: dict(zip(dataset.item_tokens[1:], row[1:].tolist()))
                     for place, row in zip(visits.tolist(), scores)}


def _swap(folder: Path, visits: set[str]) -> None:
    """Gives some visits the medications that they did not have."""
    items = set(read_atomic(folder / f"{folder.name}.item")["item_id"])
    for path in folder.glob("*.inter"):
        header, *lines = path.read_text().splitlines()
        pairs = [line.split("\t") for line in lines]
        kept = [pair for pair in pairs if pair[0] not in visits]
        for chosen in sorted(visits & {visit for visit, _ in pairs}):
            had = {item for visit, item in pairs if visit == chosen}
            kept += [[chosen, item] for item in sorted(items - had)]
        path.write_text("\n".join([header, *("\t".join(pair) for pair in kept)]) + "\n")


@pytest.mark.parametrize("name", NAMES)
def test_scores_do_not_follow_own_or_later_medications(own_visits: Path, fit: Maker, name: str) -> None:
    dataset, before = _by_token(own_visits, name, fit)
    file = {row["visit_id"]: row for row in read_atomic(own_visits / "tinyvisits.user").to_dict("records")}
    tested = {dataset.user_tokens[place] for place in range(1, len(dataset.user_tokens))} - {
        dataset.user_tokens[place] for place in dataset.train_users.nonzero().squeeze(-1).tolist()}
    second = {visit for visit in tested if len(file[visit]["earlier"]) == 1}
    later = {visit for visit in tested if second & set(file[visit]["earlier"])}
    assert second and later
    _swap(own_visits, second | later)
    _, after = _by_token(own_visits, name, fit)
    assert {visit: after[visit] for visit in file if visit not in later} == {
        visit: before[visit] for visit in file if visit not in later}


def test_scores_follow_the_medications_of_earlier_visits(own_visits: Path, fit: Maker) -> None:
    _, before = _by_token(own_visits, "RepeatLast", fit)
    file = {row["visit_id"]: row for row in read_atomic(own_visits / "tinyvisits.user").to_dict("records")}
    last = [visit for visit in file if file[visit]["patient_id"] == "p27" and file[visit]["earlier"]][-1]
    _swap(own_visits, {file[last]["earlier"][-1]})
    _, after = _by_token(own_visits, "RepeatLast", fit)
    assert {visit for visit in file if after[visit] != before[visit]} == {last}


@pytest.mark.parametrize("name", SOLVED)
def test_scores_do_not_depend_on_the_order_of_rows(own_visits: Path, fit: Maker, name: str) -> None:
    _, before = _by_token(own_visits, name, fit)
    order = np.random.default_rng(0)
    for path in [*own_visits.glob("*.inter"), own_visits / "tinyvisits.user", own_visits / "tinyvisits.item"]:
        header, *lines = path.read_text().splitlines()
        path.write_text("\n".join([header, *order.permutation(lines)]) + "\n")
    _, after = _by_token(own_visits, name, fit)
    assert before.keys() == after.keys()
    for token, scores in before.items():
        assert after[token] == pytest.approx(scores, abs=5e-3 if name == "VisitLR" else 1e-5)


def test_the_latest_visit_stands_last_in_the_history(built: Maker) -> None:
    model, train, _, _ = built("RepeatLast")
    dataset = train._dataset
    ids = torch.tensor([dataset.user_tokens.index(token) for token in ("v001", "v006", "v003")])
    inputs = model.user_inputs(ids)
    assert inputs["earlier_diag"][1].tolist() == [[False, False], [True, True], [False, True]]
    names = dataset.visits.vocabulary["diag"]
    for row, old in ((1, ("v004", "v005")), (2, (None, "v002"))):
        for column, token in enumerate(old):
            found = {names[code] for code in inputs["earlier_diag"][0][row, column].tolist() if code}
            wanted = dataset.visit_file.codes["diag"].row(dataset.user_tokens.index(token)) if token else []
            assert found == {names[code] for code in wanted}


def test_a_visits_own_medications_are_no_input(built: Maker) -> None:
    model, train, _, _ = built("RepeatLast")
    dataset = train._dataset
    assert set(model.user_inputs(torch.tensor([1]))) == set(visit.VISIT_INPUTS)
    sizes = dataset.visits.history.sizes.tolist()
    first = torch.tensor([place for place, size in enumerate(sizes) if place and not size])
    assert not model.user_inputs(first)["earlier_medications"][0].any()


def test_the_loss_is_binary_cross_entropy_over_all_medications_of_whole_visits(built: Maker) -> None:
    model, train, _, _ = built("VisitLR")
    dataset = train._dataset
    scores = torch.randn(dataset.num("visit_id"), dataset.num("item_id"))
    model.forward = lambda users, items: scores[:len(users["diag"][0])]
    visits = torch.tensor([3, 1])
    truth = dataset.visit_truth(visits).float()
    row, items = truth.nonzero().T
    found = visit.VisitRecommender.calculate_loss(model, Interaction({"visit_id": visits[row], "item_id": items}))
    ordered = dataset.visit_truth(visits.sort().values).float()
    probabilities = torch.sigmoid(scores[:2, 1:])
    wanted = -(ordered[:, 1:] * probabilities.log() + (1 - ordered[:, 1:]) * (1 - probabilities).log()).mean()
    assert torch.allclose(found, wanted, atol=1e-6)
    assert torch.allclose(found, F.binary_cross_entropy(probabilities, ordered[:, 1:]), atol=1e-6)


def test_training_batches_hold_whole_visits(visit_data: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    from recbole_medmoe.model.baselines.visit_lr import VisitLR

    monkeypatch.setattr(VisitLR, "groups_by_user", visit.VisitRecommender.groups_by_user)
    _, train, _, _ = visit_data("VisitLR", train_batch_size=20)
    dataset, seen = train._dataset, []
    for batch in train:
        for place in torch.unique(batch["visit_id"]).tolist():
            items = batch["item_id"][batch["visit_id"] == place]
            assert set(items.tolist()) == set(dataset.visits.medications.row(place))
            seen.append(place)
    assert len(train) > 5 and sorted(seen) == dataset.train_users.nonzero().squeeze(-1).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_ranking_in_pieces_gives_the_same_scores(built: Maker, fit: Maker, monkeypatch: pytest.MonkeyPatch,
                                                 name: str) -> None:
    model, train, _, _ = built(name)
    fit(model, train)
    visits = Interaction({"visit_id": torch.arange(1, 20)})
    whole = model.full_sort_predict(visits)
    monkeypatch.setattr(visit, "_AT_ONCE", 3)
    assert torch.allclose(whole, model.full_sort_predict(visits), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_built_from_its_catalogue_scores_alike(built: Maker, fit: Maker, visit_config: Maker,
                                                       name: str) -> None:
    model, train, _, _ = built(name)
    fit(model, train)
    kept = model.catalogue()
    source = Catalogue.read(kept.tensors(), json.loads(json.dumps(kept.document())))
    again: Any = type(model)(visit_config(name), source)
    again.load_state_dict(model.state_dict())
    inputs = model.user_inputs(torch.arange(1, 9))
    assert torch.equal(again.score_features(inputs), model.score_features(inputs))
    assert again.ddi.equal(train._dataset.ddi) and again.code_counts == model.code_counts
    by_hand = {**dict.fromkeys(model.patients().keys), "diag": ["gout", "rare"], "earlier": [{"medications": ["iron"]}]}
    first, second = (one.score_features(one.patients().encode([by_hand])) for one in (model, again))
    assert first.equal(second)


@pytest.mark.parametrize("name", NAMES)
def test_no_visits_ride_in_the_checkpoint(built: Maker, name: str) -> None:
    model, train, _, _ = built(name)
    stored = {**model.state_dict(), **model.catalogue().tensors()}
    visits = train._dataset.num("visit_id")
    assert not [key for key in stored if "visit_" in key]
    assert not [key for key, value in stored.items() if value.dim() and value.shape[0] == visits]
    said = json.dumps(model.catalogue().document())
    tokens = train._dataset.user_tokens[1:] + train._dataset.patient_tokens[1:]
    assert not [token for token in tokens if token in said]


@pytest.mark.parametrize("name", NAMES)
def test_users_that_are_no_visits_are_refused(food_data: Maker, name: str) -> None:
    config, train, _, _ = food_data(name)
    with pytest.raises(ConfigError, match=f"{name} reads visits, and the users of this data set are none"):
        config.spec.load()(config, train._dataset)
