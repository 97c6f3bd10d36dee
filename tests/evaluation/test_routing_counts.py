"""Counts of routers against loops over tokens."""
from __future__ import annotations

import math
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recbole_medmoe.errors import TrainingError
from recbole_medmoe.evaluation import RoutingCounts, watching
from recbole_medmoe.evaluation.evaluator import score_block
from recbole_medmoe.layers import MoLoRA, MoLoraSpec, collect_routing

LENGTHS = [5, 2, 7, 1, 4, 6]
IDS = [30, 10, 20, 60, 50, 40]   # in the order in which they are scored, two at a time
ROWS = np.array(sorted(IDS))
GROUPS = {"odd": np.array([True, False, True, False, True, False]), "few": np.array([True] + [False] * 5)}


@pytest.fixture(scope="module")
def layers() -> list[MoLoRA]:
    torch.manual_seed(0)
    made = [MoLoRA(8, 4, MoLoraSpec(num_experts=5, top_k=2)) for _ in range(2)]
    for number, layer in enumerate(made):
        layer.name = f"model.layers.{number}.mlp.up_proj"
    return made


def tokens_of(user: int) -> Tensor:
    """[T, 8] of a row, by its internal user id."""
    return torch.randn(LENGTHS[IDS.index(user)], 8, generator=torch.Generator().manual_seed(user))


def run_rows(layers: list[MoLoRA], users: list[int], watch: Any) -> None:
    """One forward pass over two rows, padded, the last one first, as batches of like length may have it."""
    order = list(reversed(range(len(users))))
    rows = [tokens_of(users[place]) for place in order]
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True)
    x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=9.0)
    with collect_routing(mask) as routing:
        for layer in layers:
            layer(x, torch.zeros(*x.shape[:2], 4))
    watch(routing, torch.tensor(order))


@pytest.fixture(scope="module")
def counts(layers: list[MoLoRA]) -> RoutingCounts:
    made = RoutingCounts()
    for start in range(0, 6, 2):
        made.begin(torch.tensor(IDS[start:start + 2]))
        run_rows(layers, IDS[start:start + 2], made)
    return made


def choices(layer: MoLoRA, users: list[int]) -> tuple[list[tuple[int, ...]], list[list[float]]]:
    """Of each token the experts that are chosen, and the softmax over all."""
    chosen, shares = [], []
    for user in users:
        for token in tokens_of(user):
            logits = (layer.router_weight @ token + layer.router_bias).tolist()
            chosen.append(tuple(sorted(range(5), key=lambda expert: -logits[expert])[:2]))
            total = sum(math.exp(value) for value in logits)
            shares.append([math.exp(value) / total for value in logits])
    return chosen, shares


def load_of(layer: MoLoRA, users: list[int]) -> list[float]:
    seen = Counter(expert for pair in choices(layer, users)[0] for expert in pair)
    return [seen[expert] / sum(seen.values()) for expert in range(5)]


def entropy_of(shares: list[float]) -> float:
    return -sum(share * math.log(share) for share in shares if share > 0)


def test_each_layer_equals_loops_over_its_tokens(layers: list[MoLoRA], counts: RoutingCounts) -> None:
    told = counts.table(ROWS, {})["layers"]
    for layer in layers:
        chosen, shares = choices(layer, IDS)
        found, load = told[layer.name], load_of(layer, IDS)
        assert found["load"] == pytest.approx(load)
        assert found["weight"] == pytest.approx([sum(row[expert] for row in shares) / 25 for expert in range(5)])
        assert found["entropy"] == pytest.approx(sum(map(entropy_of, shares)) / 25)
        assert found["used"] == pytest.approx(math.exp(entropy_of(load)))
        for one in range(5):
            assert found["together"][one] == pytest.approx(
                [sum(one in pair and other in pair for pair in chosen) / 25 for other in range(5)])


def test_the_whole_is_the_mean_over_layers(counts: RoutingCounts) -> None:
    told = counts.table(ROWS, {})
    layers = list(told["layers"].values())
    assert told["tokens"] == sum(LENGTHS)
    for key in ("entropy", "used"):
        assert told[key] == pytest.approx(sum(layer[key] for layer in layers) / 2)
    assert told["load"] == pytest.approx([sum(pair) / 2 for pair in zip(*(
        sorted(layer["load"], reverse=True) for layer in layers))])


def test_groups_equal_loops_over_their_rows(layers: list[MoLoRA], counts: RoutingCounts) -> None:
    told = counts.table(ROWS, GROUPS, min_group=3)
    users = [int(user) for user, inside in zip(ROWS, GROUPS["odd"]) if inside]
    apart = []
    for layer in layers:
        load, whole = load_of(layer, users), load_of(layer, IDS)
        assert told["groups"]["odd"]["layers"][layer.name] == pytest.approx(load)
        apart.append(sum(share * math.log(share / other) for share, other in zip(load, whole) if share))
        assert told["layers"][layer.name]["specialisation"] == pytest.approx(apart[-1])
    assert told["groups"]["odd"]["n"] == 3 and told["groups"]["odd"]["specialisation"] == pytest.approx(sum(apart) / 2)


class Processes:
    """Two processes as threads, in the place of `processes`."""

    def __init__(self) -> None:
        self.meet, self.own, self.parts = threading.Barrier(2), threading.local(), {}

    def count(self) -> int:
        return 2

    def gather_rows(self, array: np.ndarray) -> np.ndarray:
        self.parts[self.own.rank] = array
        self.meet.wait(timeout=30)
        whole = np.concatenate([self.parts[0], self.parts[1]])
        self.meet.wait(timeout=30)
        return whole


@pytest.mark.parametrize("first", [2, 4, 6])
def test_two_processes_have_the_counts_of_both(layers: list[MoLoRA], counts: RoutingCounts, first: int,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    both, made = Processes(), [RoutingCounts(), RoutingCounts()]
    for start in range(0, 6, 2):   # the second one may have no row
        own = made[start >= first]
        own.begin(torch.tensor(IDS[start:start + 2]))
        run_rows(layers, IDS[start:start + 2], own)

    def gather(rank: int) -> dict[str, Any]:
        both.own.rank = rank
        made[rank].gather()
        return made[rank].table(ROWS, GROUPS, min_group=3)

    monkeypatch.setattr("recbole_medmoe.evaluation.routing.processes", both)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(gather, range(2)))
    alone = counts.table(ROWS, GROUPS, min_group=3)
    assert found[0] == found[1] and list(found[0]["layers"]) == list(alone["layers"])
    for name, told in alone["layers"].items():
        assert all(np.allclose(found[0]["layers"][name][key], value, atol=1e-6) for key, value in told.items())
    assert found[0]["groups"]["odd"]["layers"] == alone["groups"]["odd"]["layers"]
    assert found[0]["tokens"] == alone["tokens"] and found[0]["load"] == pytest.approx(alone["load"])


def test_groups_below_the_floor_are_left_out(counts: RoutingCounts) -> None:
    assert list(counts.table(ROWS, GROUPS, min_group=3)["groups"]) == ["odd"]


def test_groups_that_part_the_rows_give_the_mutual_information(layers: list[MoLoRA], counts: RoutingCounts) -> None:
    parts = {"odd": GROUPS["odd"], "even": ~GROUPS["odd"]}
    told = counts.table(ROWS, parts, min_group=1)["layers"]
    for layer in layers:
        joint = Counter((name, expert) for name, mask in parts.items() for user in ROWS[mask]
                        for pair in choices(layer, [int(user)])[0] for expert in pair)
        total, whole = sum(joint.values()), load_of(layer, IDS)
        sizes = {name: sum(count for (group, _), count in joint.items() if group == name) for name in parts}
        wanted = sum(count / total * math.log(count / (sizes[name] * whole[expert]))
                     for (name, expert), count in joint.items())
        assert told[layer.name]["specialisation"] == pytest.approx(wanted)


def test_blocks_are_counted_in_the_whole_backbone(layers: list[MoLoRA]) -> None:
    made = RoutingCounts(cut=28)
    made.begin(torch.tensor(IDS[:2]))
    run_rows(layers, IDS[:2], made)
    assert list(made.total) == ["model.layers.28.mlp.up_proj", "model.layers.29.mlp.up_proj"]


def test_rows_that_were_not_scored_are_refused(counts: RoutingCounts) -> None:
    with pytest.raises(ValueError, match="not scored"):
        counts.table(np.array([10, 11]), {})


def test_without_a_router_there_is_no_table() -> None:
    with pytest.raises(ValueError, match="no router ran"):
        RoutingCounts().table(ROWS, {})


def test_a_pass_before_its_rows_are_known_is_refused(layers: list[MoLoRA]) -> None:
    with pytest.raises(RuntimeError, match="begin"):
        run_rows(layers, IDS[:2], RoutingCounts())


def test_logits_that_are_not_finite_name_the_layer() -> None:
    layer, made = MoLoRA(8, 4, MoLoraSpec()), RoutingCounts()
    layer.name = "up_proj"
    torch.nn.init.constant_(layer.router_weight, math.inf)
    made.begin(torch.tensor([10]))
    with pytest.raises(TrainingError, match="up_proj are not finite"):
        run_rows([layer], [10], made)


class Scorer(torch.nn.Module):
    """A model whose ``llm`` can be watched."""

    def __init__(self, layers: list[MoLoRA]) -> None:
        super().__init__()
        self.llm, self.layers = SimpleNamespace(watch=None), layers

    def full_sort_predict(self, interaction: Any) -> Tensor:
        users = interaction["user"].tolist()
        if self.llm.watch is not None:
            run_rows(self.layers, users, self.llm.watch)
        return torch.zeros(len(users) * 3)


class Rows(dict[str, Tensor]):
    """A batch of users."""

    def to(self, device: torch.device) -> Rows:
        return self


def score(model: Scorer) -> None:
    loader = SimpleNamespace(uid_field="user")
    for start in range(0, 6, 2):
        score_block(model, Rows(user=torch.tensor(IDS[start:start + 2])), 3, loader, torch.device("cpu"), "no")


def test_an_evaluation_that_is_watched_fills_the_counts(layers: list[MoLoRA], counts: RoutingCounts) -> None:
    model = Scorer(layers)
    with watching(model) as seen:
        score(model)
    assert seen is not None and model.llm.watch is None
    assert seen.table(ROWS, GROUPS, min_group=3) == counts.table(ROWS, GROUPS, min_group=3)


def test_an_evaluation_outside_counts_nothing(layers: list[MoLoRA]) -> None:
    model = Scorer(layers)
    with watching(model) as seen:
        pass
    score(model)
    assert seen is not None and not seen.total


def test_a_model_without_routers_is_not_watched() -> None:
    with watching(torch.nn.Linear(1, 1)) as seen:
        assert seen is None
