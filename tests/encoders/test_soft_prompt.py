"""A frozen language model that reads vectors among its tokens, against the whole model on the same tokens."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.encoders.lora import LoraSpec
from recbole_medmoe.encoders.soft_prompt import SoftPromptBackbone
from recbole_medmoe.encoders.split import SplitBackbone, embedding_table
from recbole_medmoe.errors import ConfigError

BEGINNING = [3, 4, 5]
TEXTS = [torch.tensor([7, 8, 9]), torch.tensor([1, 2])]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def whole(tiny_llama: Path) -> Any:
    return load_backbone(tiny_llama, CPU, torch.float32, head=True)[1]


def made(folder: Path, whole: Any, tuned: int | None = None, lora: LoraSpec | None = None) -> SoftPromptBackbone:
    halves = SplitBackbone(folder, tuned=tuned, kind="last", layers=(), lora=lora, device=CPU,
                           lower_dtype=torch.float32, upper_dtype=torch.float32)
    return SoftPromptBackbone(halves, BEGINNING, 64, whole.lm_head)


def padded(model: SoftPromptBackbone) -> tuple[torch.Tensor, torch.Tensor]:
    rows = model.texts(TEXTS)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), mask


@pytest.mark.parametrize("tuned", [None, 1])
@pytest.mark.parametrize("lora", [None, LoraSpec(2, 4.0, 0.0, ("q_proj",))])
def test_states_are_those_of_the_whole_model(tiny_llama: Path, whole: Any, tuned: int | None,
                                             lora: LoraSpec | None) -> None:
    model = made(tiny_llama, whole, tuned, lora)
    states = model.read(*padded(model))
    for row, text in enumerate(TEXTS):
        ids = torch.tensor([[*BEGINNING, *text.tolist()]])
        wanted = whole.model(input_ids=ids).last_hidden_state[0, len(BEGINNING):]
        torch.testing.assert_close(states[row, :len(text)], wanted, rtol=1e-4, atol=1e-4)


def test_gradients_flow_back_to_what_stands_among_the_tokens_and_to_no_weight(tiny_llama: Path, whole: Any) -> None:
    model = made(tiny_llama, whole, 1)
    states, mask = padded(model)
    states = states.clone().requires_grad_(True)
    model.read(states, mask)[:, 1].sum().backward()
    assert states.grad is not None and bool(states.grad[:, 0].any()) and not bool(states.grad[0, 2].any())
    assert all(weight.grad is None for weight in model.parameters())


def test_beginning_and_texts_run_once(tiny_llama: Path, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(tiny_llama, whole, 1)
    read: list[int] = []
    for half in (model.halves.lower, model.halves.upper):
        half.register_forward_pre_hook(lambda module, args, kwargs: read.append(1), with_kwargs=True)
    for _ in range(3):
        states, mask = padded(model)
        with torch.no_grad():
            model.read(states, mask)
    assert len(read) == 1 + 1 + 3  # both texts below, the beginning above, three batches of prompts above
    assert model.prompts == 3 * len(TEXTS)


def test_a_frozen_model_reads_in_training_what_it_reads_when_it_scores(tiny_llama: Path, whole: Any) -> None:
    model = made(tiny_llama, whole, 1)
    for part in model.modules():
        if hasattr(part, "attention_dropout"):
            part.attention_dropout = 0.9
    model.train()
    found = model.read(*padded(model))  # what is kept of the beginning is made here
    model.eval()
    torch.testing.assert_close(found, model.read(*padded(model)))


def test_a_text_that_is_not_to_be_kept_is_read_anew(tiny_llama: Path, whole: Any) -> None:
    model = made(tiny_llama, whole, 1)
    read: list[int] = []
    model.halves.lower.register_forward_pre_hook(lambda module, args, kwargs: read.append(1), with_kwargs=True)
    wanted = model.texts(TEXTS)
    for _ in range(2):
        torch.testing.assert_close(model.texts(TEXTS, keep=False), wanted)
    assert len(read) == 3


def test_continuations_are_as_likely_as_in_the_whole_model(tiny_llama: Path, whole: Any) -> None:
    model = made(tiny_llama, whole)
    told = model.follow(model.texts(TEXTS)[0], [torch.tensor([1, 2]), torch.tensor([5])])
    shares = whole(input_ids=torch.tensor([[*BEGINNING, 7, 8, 9, 1, 2]])).logits[0].log_softmax(-1)
    torch.testing.assert_close(told, torch.stack([(shares[5, 1] + shares[6, 2]) / 2, shares[5, 5]]))


def test_a_prompt_needs_a_beginning(tiny_llama: Path) -> None:
    halves = SplitBackbone(tiny_llama, tuned=None, kind="last", layers=(), lora=None, device=CPU,
                           lower_dtype=torch.float32, upper_dtype=torch.float32)
    with pytest.raises(ConfigError, match="must begin with words"):
        SoftPromptBackbone(halves, [], 64)


@pytest.mark.parametrize("found", [None, NotImplementedError])
def test_a_backbone_without_an_embedding_table_is_refused(found: Any) -> None:
    class Bare(torch.nn.Module):
        def get_input_embeddings(self) -> Any:
            if found is not None:
                raise found
            return None

    with pytest.raises(ConfigError, match="Bare has no table of token embeddings"):
        embedding_table(Bare())
