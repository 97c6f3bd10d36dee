"""LineWriter on the tiny language model."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.encoders.writer import Line, LineWriter
from recbole_medmoe.errors import ConfigError

PROMPTS = [list(range(60, 60 + length)) for length in (9, 3, 17, 5)]


@pytest.fixture
def llama(tiny_llama: Path) -> tuple[Any, Any]:
    tokenizer, model = load_backbone(tiny_llama, torch.device("cpu"), torch.float32, head=True)
    model.generation_config.eos_token_id = None   # random weights soon hit upon it
    return tokenizer, model


def always(model: Any, token: int) -> None:
    """From now on this is the likeliest token everywhere."""
    model.lm_head.weight.data.zero_()
    model.lm_head.bias = torch.nn.Parameter(torch.eye(256)[token])


@torch.no_grad()
def by_hand(tokenizer: Any, model: Any, prompt: list[int], tokens: int) -> str:
    """One prompt, each token by a whole pass of its own."""
    ids = list(prompt)
    while len(ids) < len(prompt) + tokens:
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return str(tokenizer.decode(ids[len(prompt):])).partition("\n")[0]


@pytest.mark.parametrize("budget", [1, 60, 4096])
def test_lines_are_those_of_one_pass_per_token(llama: tuple[Any, Any], budget: int) -> None:
    lines = LineWriter(*llama, 12, budget, False).write(PROMPTS)
    assert [line.text for line in lines] == [by_hand(*llama, prompt, 12) for prompt in PROMPTS]


def test_a_line_that_does_not_end_is_told(llama: tuple[Any, Any]) -> None:
    always(llama[1], llama[0].convert_tokens_to_ids("a"))
    assert LineWriter(*llama, 5).write(PROMPTS[:2]) == [Line("aaaaa", False)] * 2


def test_a_new_line_ends_it_at_once(llama: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, model = llama
    always(model, tokenizer("\n")["input_ids"][0])
    passes: list[int] = []
    monkeypatch.setattr(model.lm_head, "forward", lambda states, known=model.lm_head.forward: (
        passes.append(1), known(states))[1])
    assert LineWriter(tokenizer, model, 50).write(PROMPTS[:1]) == [Line("", True)] and len(passes) == 1


def test_the_end_of_the_text_ends_it(llama: tuple[Any, Any]) -> None:
    tokenizer, model = llama
    model.generation_config.eos_token_id = [70]
    always(model, 70)
    assert LineWriter(tokenizer, model, 50).write(PROMPTS[:1]) == [Line("", True)]


def test_a_folder_that_asks_for_lots_is_not_heard(llama: tuple[Any, Any]) -> None:
    plain = LineWriter(*llama, 8).write(PROMPTS)
    llama[1].generation_config.update(do_sample=True, temperature=9.0, repetition_penalty=3.0)
    assert LineWriter(*llama, 8).write(PROMPTS) == plain


def test_autocast_outside_changes_nothing(llama: tuple[Any, Any]) -> None:
    plain = LineWriter(*llama, 8).write(PROMPTS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert LineWriter(*llama, 8).write(PROMPTS) == plain


def test_a_prompt_without_room_for_the_line_is_refused(llama: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match="a prompt of 1000 tokens and max_new_tokens 25 .* context of 1024; lower"):
        LineWriter(*llama, 25).write([[60] * 1000])


def test_nothing_to_write_for_loads_nothing(llama: tuple[Any, Any]) -> None:
    assert LineWriter(*llama, 4).write([]) == []
