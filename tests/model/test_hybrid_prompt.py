"""Prompts of words, titles and soft tokens."""
from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.encoders.soft_prompt import SoftPromptBackbone
from recbole_medmoe.encoders.split import SplitBackbone
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.model.hybrid_prompt import HybridPrompt, prompt_words

TITLES = torch.tensor([[-1, -1], [7, 8], [9, -1], [-1, -1]]), torch.tensor([False, True, True, False])
SOFT = torch.tensor([0, 2, 0, 2])
NOBODY = [torch.zeros(0, 16), torch.zeros(0, 16)]


@pytest.fixture(scope="module")
def llm(tmp_path_factory: pytest.TempPathFactory) -> SoftPromptBackbone:
    halves = SplitBackbone(make_llama(tmp_path_factory.mktemp("hybrid")), tuned=None, kind="last", layers=(), lora=None,
                           device=torch.device("cpu"), lower_dtype=torch.float32, upper_dtype=torch.float32)
    return SoftPromptBackbone(halves, [3, 4], 64)


def made(llm: SoftPromptBackbone, max_tokens: int = 64, user_tokens: int = 0) -> HybridPrompt:
    return HybridPrompt(llm, [5], [6, 6], whole_titles=True, history_items=3, max_tokens=max_tokens,
                        user_tokens=user_tokens)


def test_a_template_is_cut_at_its_places(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("Begin.{user} Had:{history}\nNext:", encoding="utf-8")
    assert prompt_words(str(path), True) == ("Begin.", " Had:", "\nNext:")
    assert prompt_words(str(path), False) == ("Begin. Had:", "", "\nNext:")
    path.write_text("Had:{history}", encoding="utf-8")
    assert prompt_words(str(path), False) == ("Had:", "", "")
    for words in ("Had:{history}", "No place.", "{history} {user}", "{user}{history}{text}"):
        path.write_text(words, encoding="utf-8")
        with pytest.raises(ConfigError, match="write {user} and, after it, {history}"):
            prompt_words(str(path), True)


def test_prompts_hold_user_titles_soft_tokens_question_and_answer_in_this_order(llm: SoftPromptBackbone) -> None:
    prompts = made(llm)
    soft, about = torch.randn(1, 3, 2, 16), [torch.randn(1, 16)]
    lists = torch.tensor([[1, 3, 2]])
    there = SOFT[lists] > 0
    woven = prompts.weave(lists, TITLES, soft, there, about)
    words = llm.halves.lower.weight
    wanted = torch.stack([about[0][0], words[5], words[7], words[8], *soft[0, 0], prompts.special[1], *soft[0, 1],
                          words[9], words[6], words[6], prompts.special[0]])
    torch.testing.assert_close(woven.states[0], wanted)
    assert woven.ends.tolist() == [[5, 8, 9]] and woven.answer.tolist() == [12] and woven.lengths == [13]


def test_the_title_that_is_learned_follows_the_answer(llm: SoftPromptBackbone) -> None:
    prompts = made(llm)
    lists = torch.tensor([[2], [2]])
    woven = prompts.weave(lists, TITLES, torch.zeros(2, 1, 0, 16), torch.zeros(2, 1, dtype=torch.bool), NOBODY,
                          llm.texts([torch.tensor([7, 8])]) + [NOBODY[0]])
    torch.testing.assert_close(woven.states[0, -2:], llm.halves.lower.weight[[7, 8]])
    assert woven.lengths == [7, 5]


def test_a_full_prompt_loses_the_oldest_items_and_counts_it(
        llm: SoftPromptBackbone, caplog: pytest.LogCaptureFixture) -> None:
    prompts = made(llm, max_tokens=2 + 1 + 2 + 1 + 5)  # room for five tokens; items take 4, 1 and 3
    history = torch.tensor([[1, 2, 3, 0, 0], [2, 2, 2, 2, 2]])
    with caplog.at_level(logging.WARNING, logger="recbole_medmoe"):
        kept = [prompts.lists(history, TITLES, SOFT, NOBODY) for _ in range(2)][0]
    assert kept.tolist() == [[2, 3, 0], [2, 2, 2]]  # the second has its last three, as history_items says
    assert prompts.lists_cut == 2 and len(caplog.records) == 1


def test_words_that_leave_no_room_are_refused(llm: SoftPromptBackbone) -> None:
    with pytest.raises(ConfigError, match="the template's words alone have 6 tokens"):
        made(llm, max_tokens=6)
    with pytest.raises(ConfigError, match="words alone have 6 tokens, and the user's text up to 4"):
        made(llm, max_tokens=10, user_tokens=4)
    assert made(llm, max_tokens=11, user_tokens=4).room == 5
