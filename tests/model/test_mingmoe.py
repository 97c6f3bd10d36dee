"""MINGMoE and its recommenders of foods and visits, beyond what tests/common checks of each."""
from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
import torch.nn.functional as F
from recbole.data.interaction import Interaction

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.encoders import PADDING
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.evaluation import watching
from recbole_medmoe.evaluation.evaluator import score_block
from recbole_medmoe.model.mingmoe import MINGFood, MINGMoE, MINGVisits
from recbole_medmoe.registry import find_model


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_llama(tmp_path_factory.mktemp("llama") / "llama"))


@pytest.fixture
def make(llama: str, choice_data: Callable[..., Any], food_data: Callable[..., Any], visit_data: Callable[..., Any],
         tmp_path: Path) -> Callable[..., tuple[Any, Any]]:
    """``make("choice", loss="answer")`` -> the model and its training loader."""
    data = {"choice": choice_data, "food": food_data, "medication": visit_data}

    def build(task: str, **keys: Any) -> tuple[Any, Any]:
        small = {"backbone": llama, "tuned_layers": 1, "train_share": 1.0, "train_batch_size": 8, "lora_dropout": 0.0,
                 "dropout": 0.0, "prompt_max_tokens": 300, "cache_dir": str(tmp_path / "cache"), "device": "cpu"}
        config, train, *_ = data[task]("MINGMoE", **{**small, **keys})
        torch.manual_seed(0)
        return config.spec.load()(config, train._dataset), train

    return build


def test_more_experts_for_a_token_than_there_are_is_refused_with_the_configuration(make: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="top_k 3 is above num_experts 2"):
        make("choice", num_experts=2, top_k=3)


def test_the_registry_names_a_class_for_each_task() -> None:
    spec = find_model("MINGMoE")
    classes = [spec.for_task(task).load() for task in ("choice", "food", "medication")]
    assert classes == [MINGMoE, MINGFood, MINGVisits]


def test_test_questions_are_wrapped_in_words_that_training_never_saw(make: Callable[..., Any]) -> None:
    model, train = make("choice")
    seen = train._dataset.train_users
    ids = model.get_buffer("table_user_prompt")
    ends = [bytes(row[row != PADDING].tolist())[-12:] for row in ids]
    ends = [end.rsplit(b"\n", 1)[-1] for end in ends]
    trained = {end for end, known in zip(ends, seen.tolist()) if known}
    held_out = {end for end, known in zip(ends[1:], seen.tolist()[1:]) if not known}
    assert trained and held_out and not trained & held_out


def test_cut_questions_and_cut_options_are_counted_for_the_record(make: Callable[..., Any]) -> None:
    dataset = make("choice", prompt_max_tokens=90, option_max_tokens=4)[1]._dataset
    longer = {side: sum(len(text) > most for text in dataset.texts(side).values())
              for side, most in (("user", 90), ("item", 3))}   # a token per letter; a space stands before an option
    assert longer["item"] and dataset.statistics["cut"]["item_answer"] == longer["item"]
    assert dataset.statistics["cut"]["user_prompt"] >= longer["user"]


def test_the_loss_answer_is_that_of_the_right_option_alone(make: Callable[..., Any]) -> None:
    model, train = make("choice", loss="answer")
    model.eval()
    rows = train._dataset.inter_feat[:5]
    users = model.user_inputs(rows["user_id"])
    scores = model.forward(users, {})
    place = model.place_of(rows["user_id"], rows["item_id"])
    wanted = -scores[torch.arange(5), place].mean()   # mean over tokens, then over questions
    assert torch.allclose(model.calculate_loss(rows), wanted, atol=1e-5)


def test_an_adapter_that_is_told_the_task_asks_for_it(make: Callable[..., Any]) -> None:
    assert "task" not in make("choice")[0].patients().keys
    model, _ = make("choice", adapter="task_gated")
    assert "task" in model.patients().keys and model.llm.labels == ["abstract", "exam.food"]
    users = dict(model.user_inputs(torch.tensor([1, 2, 3])))
    users["task"] = (torch.zeros_like(users["task"][0]), users["task"][1])
    assert model._labels(users).tolist() == [-1, -1, -1]


def test_an_option_without_a_text_is_chosen_last(make: Callable[..., Any]) -> None:
    model, train = make("choice")
    model.eval()
    rows = train._dataset.inter_feat[:4]
    model.get_buffer("table_item_answer")[rows["item_id"]] = PADDING   # the right ones: their texts are not there
    with torch.no_grad():
        scores = model.full_sort_predict(rows).view(4, -1)
    for question, own, right in zip(scores, model.own_options(rows["user_id"]), rows["item_id"]):
        others = own[(own > 0) & ~torch.isin(own, rows["item_id"])]
        assert (question[right] < question[others]).all()


def test_foods_are_set_against_drawn_ones_only(make: Callable[..., Any]) -> None:
    model, train = make("food", negatives=3)
    model.eval()
    rows = next(iter(train))
    torch.manual_seed(3)
    loss = model.calculate_loss(rows)
    ids, row = torch.unique(rows["user_id"], return_inverse=True)
    with torch.no_grad():
        scores = model.forward(model.user_inputs(ids), model.item_inputs())
    right = scores[row, rows["item_id"]]
    assert torch.isfinite(loss) and float(loss) > 0
    # With all foods as negatives it would be at least this; with three of them it can not be above.
    free = model.known_items.expand(len(ids), -1).clone()
    free[row, rows["item_id"]] = False
    every = torch.cat([right[:, None], scores[row].masked_fill(~free[row], -torch.inf)], dim=1)
    assert float(loss) <= float(F.cross_entropy(every, torch.zeros(len(row), dtype=torch.int64))) + 1e-5


def test_more_negatives_than_foods_take_all_that_are_left(make: Callable[..., Any]) -> None:
    model, train = make("food", negatives=1000)
    model.eval()
    rows = next(iter(train))
    ids, row = torch.unique(rows["user_id"], return_inverse=True)
    with torch.no_grad():
        scores = model.forward(model.user_inputs(ids), model.item_inputs())
    free = model.known_items.expand(len(ids), -1).clone()
    free[row, rows["item_id"]] = False
    every = torch.cat([scores[row, rows["item_id"]][:, None], scores[row].masked_fill(~free[row], -torch.inf)], dim=1)
    wanted = F.cross_entropy(every, torch.zeros(len(row), dtype=torch.int64))
    assert torch.allclose(model.calculate_loss(rows), wanted, atol=1e-4)


def test_the_loss_answer_of_foods_reads_each_positive_once(make: Callable[..., Any]) -> None:
    model, train = make("food", loss="answer")
    model.eval()
    rows = next(iter(train))
    ids, row = torch.unique(rows["user_id"], return_inverse=True)
    with torch.no_grad():
        scores = model.forward(model.user_inputs(ids), model.item_inputs())
    assert torch.allclose(model.calculate_loss(rows), -scores[row, rows["item_id"]].mean(), atol=1e-5)


def test_visits_without_a_text_have_no_part_in_the_standard_state(
        make: Callable[..., Any], visit_data: Callable[..., Any], tiny_visits: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_visits, tmp_path / "data" / "tinyvisits"))
    path = folder / "text" / "user.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[::2]))
    model, train = make("medication", folder=folder)
    there = train._dataset.train_users & model.get_buffer("present_user_prompt")
    assert 0 < int(there.sum()) < int(train._dataset.train_users.sum())
    with torch.no_grad():
        states = model._states(model.user_inputs(there.nonzero().squeeze(1)))
    torch.testing.assert_close(model.standard.mean, states.mean(0))


def test_routers_of_many_visits_are_counted_by_their_own_rows(make: Callable[..., Any],
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recbole_medmoe.model.visit._AT_ONCE", 2)
    model, train = make("medication")
    ids = torch.arange(1, 6)
    model.eval()
    with torch.no_grad(), watching(model) as together:
        score_block(model, Interaction({"visit_id": ids}), model.n_items, train, torch.device("cpu"), "no")
    with torch.no_grad(), watching(model) as counts:
        for one in ids:
            score_block(model, Interaction({"visit_id": one.view(1)}), model.n_items, train, torch.device("cpu"), "no")
    for name in together.total:
        assert together._by_row(name).tolist() == counts._by_row(name).tolist()


def test_recommenders_of_several_tasks_share_one_language_model(make: Callable[..., Any]) -> None:
    first, _ = make("choice")
    second, train = make("medication")
    config = {**{name: getattr(first.params, name) for name in type(first.params).model_fields}, "device": "cpu"}
    shared = MINGVisits({**config, "USER_ID_FIELD": second.USER_ID, "ITEM_ID_FIELD": second.ITEM_ID,
                         "NEG_PREFIX": "neg_", "data_path": ""}, train._dataset, llm=first.llm)
    assert shared.llm is first.llm and shared.head.weight.shape[0] == shared.n_items
