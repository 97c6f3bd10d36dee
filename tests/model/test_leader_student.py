"""LEADERStudent: its equations, its losses, and each fault of the released code beside what is right."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch
import torch.nn.functional as F
from recbole.data.interaction import Interaction

from recbole_medmoe.data.teacher_states import StatesOrigin, TeacherStates
from recbole_medmoe.errors import ConfigError

Maker = Callable[..., Any]
SMALL = {"width": 8, "heads": 2, "inner": 12, "device": "cpu"}
PAPER = {"linear_skip": False, "copy_earlier": False}
ORIGIN = StatesOrigin("T", "r", "a" * 64, "patient", 1.0, 0, "b" * 64, "c" * 64, "d" * 64)


@pytest.fixture
def built(visit_data: Maker) -> Maker:
    """``built(states=None, **keys)`` -> an untrained model and its training loader; states [N, W] of all of its
    training visits."""

    def make(states: Maker | None = None, **keys: Any) -> tuple[Any, Any]:
        config, train, _, _ = visit_data("LEADERStudent", **{**SMALL, **keys})
        dataset = train._dataset
        if states is not None:
            tokens = [dataset.user_tokens[place] for place in dataset.train_users.nonzero().squeeze(-1).tolist()]
            dataset.teach(TeacherStates(tokens, states(len(tokens)).bfloat16(), ORIGIN))
        torch.manual_seed(0)
        return config.spec.load()(config, dataset).eval(), train

    return make


def _score(model: Any, *visits: dict[str, Any]) -> torch.Tensor:
    """Scores of visits written by hand, with what they leave unsaid."""
    rest = {"diag": None, "proc": None, "earlier": None, **dict.fromkeys(model.patients().keys)}
    return model.score_features(model.patients().encode([{**rest, **visit} for visit in visits]))[:, 1:]


def _old(*diagnoses: str, medication: str = "iron") -> dict[str, Any]:
    return {"diag": list(diagnoses), "medications": [medication]}


def _batch(train: Any, visits: int) -> Any:
    """The training pairs of the first visits."""
    rows = train._dataset.inter_feat
    first = torch.unique(rows["visit_id"])[:visits]
    return rows[torch.isin(rows["visit_id"], first).nonzero().squeeze(-1)]


def test_scores_are_those_of_the_equations(built: Maker) -> None:
    model, train = built(visits_apart=True)
    with torch.no_grad():
        for bag in model.skip.values():
            bag.weight.normal_()
        model.copied.copy_(torch.tensor([.3, -.1]))
    tables, depths = train._dataset.visits, set()
    every = torch.arange(1, len(train._dataset.user_tokens))
    users = model.user_inputs(every)
    scores, profiles = model.forward(users, {}), model.profile(model.read("user", users))
    for visit, found, profile in zip(every.tolist(), scores, profiles):
        history = tables.history.row(visit)
        depths.add(len(history))
        rows = {kind: [tables.codes[kind].row(one) for one in (*history, visit)] for kind in ("diag", "proc")}
        rows["medications"] = [tables.medications.row(old) for old in history]
        streams = []
        for name, sets in rows.items():
            vectors = [model.sets[name](torch.tensor([ids or [0]]))[0] for ids in sets]
            vectors += [profile] if name == "medications" else []
            vectors[-1] = vectors[-1] + model.present[name]
            streams.append(model.visit(torch.stack(vectors), torch.tensor([len(vectors)])).mean(0))
        feature = model.feature(F.relu(torch.cat(streams)))
        wanted = model.output(F.relu(feature))
        for kind, bag in model.skip.items():
            wanted = wanted + bag.weight[tables.codes[kind].row(visit)].sum(0)
        if history:
            had = torch.zeros(model.n_items)
            for old in history:
                had[tables.medications.row(old)] += 1 / len(history)
            wanted = wanted + 3.0 * had - 1.0
        assert torch.allclose(found, wanted, atol=1e-4)
    assert depths == {0, 1, 2}


def test_the_loss_has_the_papers_three_parts(built: Maker) -> None:
    model, train = built(lambda rows: torch.arange(3.0 * rows).view(rows, 3), teacher="t", teacher_scale="raw",
                         alpha=0.7, beta=0.2)
    ids, truth = model.visit_targets(_batch(train, 5))
    users = model.user_inputs(ids)
    feature, record = model._read(users)
    place = train._dataset.train_users.nonzero().squeeze(-1).tolist()
    states = torch.stack([torch.arange(3.0) + 3 * place.index(visit) for visit in ids.tolist()])
    sets = torch.cat([model.sets["medications"](row.nonzero().T) for row in truth])
    wanted = [F.binary_cross_entropy_with_logits(model.forward(users, {})[:, 1:], truth[:, 1:]),
              0.7 * F.mse_loss(model.guides["projector"](feature), states),
              0.2 * model.guides["alignment"](sets, record)]
    for found, part in zip(model.calculate_loss(_batch(train, 5)), wanted, strict=True):
        assert torch.allclose(found, part, rtol=1e-4)


def test_states_count_alike_whatever_their_scale(built: Maker) -> None:
    torch.manual_seed(1)
    drawn = torch.randn(100, 3)
    one, train = built(lambda rows: drawn[:rows], teacher="t")
    other, _ = built(lambda rows: 100 * drawn[:rows] + 7, teacher="t")
    assert torch.allclose(one.calculate_loss(_batch(train, 9))[1], other.calculate_loss(_batch(train, 9))[1], rtol=.05)


def test_visits_without_a_state_learn_from_their_medications_alone(built: Maker) -> None:
    model, train = built(lambda rows: torch.ones(rows, 3), teacher="t", teacher_scale="raw")
    ids, _ = model.visit_targets(_batch(train, 4))
    whole = model.calculate_loss(_batch(train, 4))[1]
    model.taught_row[ids[1:]] = -1
    feature = model._read(model.user_inputs(ids[:1]))[0]
    assert torch.allclose(model.calculate_loss(_batch(train, 4))[1],
                          0.4 * F.mse_loss(model.guides["projector"](feature), torch.ones(1, 3)))
    model.taught_row[ids] = -1
    assert model.calculate_loss(_batch(train, 4))[1] == 0 < whole


def test_shuffled_states_are_those_of_other_training_visits(built: Maker) -> None:
    keys = {"teacher": "t", "teacher_scale": "raw"}
    own, _ = built(lambda rows: torch.arange(float(rows))[:, None], **keys)
    first, again, other = (built(lambda rows: torch.arange(float(rows))[:, None], teacher_order="shuffled", seed=seed,
                                 **keys)[0] for seed in (1, 1, 2))
    assert torch.equal(first.taught, again.taught) and not torch.equal(first.taught, other.taught)
    assert torch.equal(own.taught_row, first.taught_row)
    assert (own.taught == first.taught).float().mean() < .3 and torch.equal(own.taught, first.taught.sort(0).values)


def test_what_no_loss_asks_for_is_not_built(built: Maker) -> None:
    drawn = lambda rows: torch.ones(rows, 3)
    assert set(built(beta=0.0)[0].guides) == set(built(drawn, beta=0.0, alpha=0.0, teacher="t")[0].guides) == set()
    assert set(built(drawn, teacher="t")[0].guides) == {"alignment", "projector"}
    names = [name for name, _ in built(**PAPER)[0].named_parameters()]
    assert not any(name.startswith(("skip", "copied", "record")) for name in names)


def test_only_what_scores_is_saved(built: Maker) -> None:
    model, _ = built(lambda rows: torch.ones(rows, 3), teacher="t")
    assert not any(name.startswith(("guides", "taught")) for name in model.state_dict())


def test_a_teacher_that_nobody_has_asked_is_refused(built: Maker) -> None:
    with pytest.raises(ConfigError, match="were not given to the data set"):
        built(teacher="LEADERTeacher")


def test_heads_must_divide_the_width(built: Maker) -> None:
    with pytest.raises(ConfigError, match="3 does not divide width 8"):
        built(heads=3)


def test_without_profile_one_record_serves_everyone(built: Maker) -> None:
    model, _ = built(profile_fields=[])
    assert model.patients().keys == ["diag", "proc", "earlier"]
    assert torch.isfinite(_score(model, {"diag": ["gout"]}, {})).all()
    assert model.record.shape == (8,)


def test_the_profile_leaves_out_codes_and_structure(built: Maker) -> None:
    assert set(built()[0].patients().keys) == {"diag", "proc", "earlier", "age", "sex"}


def test_order_of_earlier_visits_is_as_in_the_paper_not_read(built: Maker) -> None:
    model, _ = built()
    one, other = _old("gout"), _old("anaemia", medication="folate")
    first, second = _score(model, {"earlier": [one, other]}, {"earlier": [other, one]})
    assert torch.allclose(first, second, atol=1e-6)


# Fault 8 of the released code: nothing tells the present visit from earlier ones.

@pytest.mark.parametrize("apart", [True, False])
def test_the_present_visit_is_told_from_earlier_ones(built: Maker, apart: bool) -> None:
    model, _ = built(visits_apart=apart, **PAPER)
    now, then = ({"diag": [first], "earlier": [{"diag": [second], "medications": ["iron"]}]}
                 for first, second in (("gout", "anaemia"), ("anaemia", "gout")))
    first, second = _score(model, now, then)
    assert torch.allclose(first, second, atol=1e-6) is not apart


# Fault 9: a longer history is cut at its end, so that the present visit is lost.

@pytest.mark.parametrize("kept", ["last", "first"])
def test_the_present_visit_is_read_after_a_long_history(built: Maker, kept: str) -> None:
    model, _ = built(longest_history=3, keep_visits=kept, **PAPER)
    history = [_old("gout"), _old("anaemia"), _old("hypertension")]
    one, other = _score(model, {"diag": ["gout"], "earlier": history}, {"diag": ["anaemia"], "earlier": history})
    assert torch.allclose(one, other, atol=1e-6) is (kept == "first")


@pytest.mark.parametrize("kept, lost", [("last", 0), ("first", 2)])
def test_the_longest_history_says_which_visits_are_read(built: Maker, kept: str, lost: int) -> None:
    model, _ = built(longest_history=3, keep_visits=kept)
    history = [_old("gout"), _old("anaemia"), _old("hypertension")]
    usual = _score(model, {"earlier": history})
    for place in range(3):
        changed = [*history[:place], {"diag": history[place]["diag"], "medications": ["folate"]}, *history[place + 1:]]
        assert torch.allclose(usual, _score(model, {"earlier": changed}), atol=1e-6) is (place == lost)


# Fault 10: of three heads of the profile, one makes the record, and not the one meant; the others learn nothing.

def test_the_profile_has_one_map_and_it_learns_from_every_part_of_the_loss(built: Maker) -> None:
    model, train = built(lambda rows: torch.ones(rows, 3), teacher="t")
    assert {name for name, _ in model.named_parameters() if name.startswith("profile")} == {"profile.weight",
                                                                                            "profile.bias"}
    for loss in model.calculate_loss(_batch(train, 8)):
        gradient, = torch.autograd.grad(loss, model.profile.weight, retain_graph=True)
        assert gradient.any()


# Fault 11: target sets are looked up three ids too low.

def _encoded(model: Any, monkeypatch: pytest.MonkeyPatch, truth: torch.Tensor) -> list[list[int]]:
    """Ids that the target sets are encoded by."""
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(model.sets["medications"], "forward", lambda ids: seen.append(ids) or torch.zeros(len(ids), 8))
    model._targets(truth)
    return [sorted(set(row.tolist()) - {0}) for row in seen[0]]


def test_targets_are_encoded_by_their_own_ids(built: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = torch.zeros(3, 13)
    truth[0, [1, 2, 3, 4, 12]], truth[1, [5]] = 1.0, 1.0
    assert _encoded(built()[0], monkeypatch, truth) == [[1, 2, 3, 4, 12], [5], []]


def test_released_targets_are_three_ids_too_low(built: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = torch.zeros(3, 13)
    truth[0, [1, 2, 3, 4, 12]], truth[1, [5]] = 1.0, 1.0
    model, train = built(alignment_items="shifted")
    # The first stands for padding, the next two for special ids, which have vectors of their own behind the rest.
    assert _encoded(model, monkeypatch, truth) == [[1, 9, 13, 14], [2], []]
    assert len(model.sets["medications"].embedding.weight) == 15
    assert torch.isfinite(sum(built(alignment_items="shifted")[0].calculate_loss(_batch(train, 8))))


# Fault 12: a batch of one breaks the alignment.

@pytest.mark.parametrize("denominator", ["all", "negatives"])
def test_a_batch_of_one_trains(built: Maker, denominator: str) -> None:
    model, train = built(alignment_denominator=denominator)
    loss = sum(model.calculate_loss(_batch(train, 1)))
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(weight.grad).all() for weight in model.parameters()
                                        if weight.grad is not None)


def test_the_released_variant_trains_to_finite_scores(visit_config: Maker, fit: Maker) -> None:
    from pathlib import Path

    from recbole_medmoe.config import MedConfig
    from recbole_medmoe.data import create_dataset, data_preparation

    place = visit_config("LEADERStudent")["data_path"]
    config = MedConfig("LEADERStudent", "tinyvisits", files=[Path("LEADERStudent.released")],
                       overrides={**SMALL, "train_batch_size": 500, "data_path": str(Path(place).parent)})
    train = data_preparation(config, create_dataset(config))[0]
    model = config.spec.load()(config, train._dataset)
    assert (model.params.visits_apart, model.params.keep_visits, model.params.alignment_items) == (
        False, "first", "shifted")
    fit(model, train)
    every = torch.arange(1, len(train._dataset.user_tokens))
    assert torch.isfinite(model.full_sort_predict(Interaction({"visit_id": every}))).all()


@pytest.mark.parametrize("longest", [1, 10])
@pytest.mark.parametrize("kept", ["first", "last"])
def test_a_visit_scores_the_same_alone_as_beside_one_with_history(built: Maker, longest: int, kept: str) -> None:
    model, _ = built(longest_history=longest, keep_visits=kept)
    visits = torch.arange(1, model.n_users)
    past = model.user_inputs(visits)["earlier_diag"][1].any(-1)
    assert past.any() and not past.all()
    model.eval()
    together = model.forward(model.user_inputs(visits), {})
    alone = torch.cat([model.forward(model.user_inputs(one), {}) for one in visits.split(1)])
    assert torch.allclose(together, alone, atol=1e-5)
