"""PrefixScorer with routed adapters: as whole prompts, and every token counts once."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from recbole_medmoe.encoders import MoLoraConfig, PrefixScorer
from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.layers import MoLoRA, RouterCounts, Routing, collect_routing

from peft import get_peft_model

from tests.encoders.whole_prompts import table, tables, whole_prompts

PREFIXES = [list(b"A patient asks which food"), list(b"Wine"), list(b"To drink")]
OPTIONS = [[list(text) for text in texts] for texts in ((b" oats", b" red beet", b"x"), (b" a", b" to"), (b" milk",))]
SEEN = sum(map(len, PREFIXES)) + sum(len(option) - 1 for own in OPTIONS for option in own)
"""Tokens that run through the model: an option's last one is only predicted."""


def adapted(folder: Path, **options: Any) -> Any:
    """A tiny Llama with experts that are not zero."""
    torch.manual_seed(0)
    model = get_peft_model(load_backbone(folder, torch.device("cpu"), torch.float32, head=True)[1], MoLoraConfig(
        r=2, target_modules=["q_proj", "up_proj", "down_proj"], expert_modules=["up_proj", "down_proj"], **options))
    for name, weight in model.named_parameters():
        if name.endswith(".B"):
            torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


class Watcher:
    """Adds up what it is told, by layer."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.losses: list[Tensor] = []
        self.counts: dict[str, RouterCounts] = {}

    def __call__(self, routing: Routing, questions: Tensor) -> None:
        self.passes.append(questions.tolist())
        self.losses.append(routing.loss())
        for name, counts in routing.counts().items():
            self.counts[name] = self.counts[name] + counts if name in self.counts else counts


@pytest.mark.parametrize("batch_tokens", [20, 4096])
def test_both_ways_equal_whole_prompts(tiny_llama: Path, batch_tokens: int) -> None:
    model = adapted(tiny_llama)
    scorer = PrefixScorer(model, "sum", batch_tokens)
    with torch.no_grad():
        wanted = whole_prompts(model, PREFIXES, OPTIONS)
    for way in (scorer, scorer.score):
        torch.testing.assert_close(way(table(PREFIXES), tables(OPTIONS)), wanted, atol=1e-4, rtol=0)


def test_a_choice_for_the_whole_prompt_is_made_by_the_prefix(tiny_llama: Path) -> None:
    model = adapted(tiny_llama, route="sequence")
    scorer = PrefixScorer(model, "sum", 30)
    found = scorer.score(table(PREFIXES), tables(OPTIONS))
    for question, (prefix, own) in enumerate(zip(PREFIXES, OPTIONS)):
        for number, option in enumerate(own):
            prompt = torch.tensor([[1] * len(prefix) + [0] * len(option)])
            with torch.no_grad(), collect_routing(torch.ones_like(prompt), prompt):
                wanted = whole_prompts(model, [prefix], [[option]])
            assert float(found[question, number]) == pytest.approx(float(wanted), abs=1e-4)


@pytest.mark.parametrize("batch_tokens", [20, 45, 4096])
@pytest.mark.parametrize("cached", [True, False])
def test_every_token_counts_once(tiny_llama: Path, batch_tokens: int, cached: bool) -> None:
    scorer, watcher = PrefixScorer(adapted(tiny_llama), "sum", batch_tokens), Watcher()
    way = scorer.score if cached else scorer
    way(table(PREFIXES), tables(OPTIONS), watcher)
    assert len(watcher.counts) == 4 and {counts.tokens for counts in watcher.counts.values()} == {SEEN}


def test_counts_are_the_same_in_chunks_of_any_size_and_both_ways(tiny_llama: Path) -> None:
    model, found = adapted(tiny_llama), []
    for batch_tokens, cached in ((20, True), (4096, True), (20, False), (4096, False)):
        scorer, watcher = PrefixScorer(model, "sum", batch_tokens), Watcher()
        (scorer.score if cached else scorer)(table(PREFIXES), tables(OPTIONS), watcher)
        found.append({name: counts.chosen.tolist() for name, counts in watcher.counts.items()})
    assert found[0] == found[1] == found[2] == found[3]


def test_rows_of_a_pass_come_with_their_questions(tiny_llama: Path) -> None:
    watcher = Watcher()
    PrefixScorer(adapted(tiny_llama), "sum").score(table(PREFIXES), tables(OPTIONS), watcher)
    assert [sorted(questions) for questions in watcher.passes] == [[0, 1, 2], [0, 1, 2]]


def test_one_pass_gives_the_losses_of_its_routers_with_gradients(tiny_llama: Path) -> None:
    model, watcher = adapted(tiny_llama, balance_weight=0.1, z_weight=0.1).train(), Watcher()
    scores = PrefixScorer(model)(table(PREFIXES), tables(OPTIONS), watcher)
    (watcher.losses[0] - scores.sum()).backward()
    routers = [layer.router_weight for layer in model.modules()
               if isinstance(layer, MoLoRA) and layer.router_weight is not None]
    assert len(watcher.losses) == 1 and bool(watcher.losses[0] > 0)
    assert all(bool(weight.grad.abs().sum() > 0) for weight in routers)
