"""PrefixScorer: equal to whole prompts, whatever the chunks."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from recbole_medmoe.encoders import PrefixScorer
from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.errors import ConfigError

PREFIX = list(b"A patient asks which food suits them. It is")
NAMES = [list(text) for text in (b" oats", b" a", b" red beet and leek", b"x", b" banana", b" kiwi")]


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> Any:
    return load_backbone(tiny_llama, torch.device("cpu"), torch.float32, head=True)[1]


@torch.no_grad()
def whole_prompts(model: Any, prefix: list[int], names: list[list[int]]) -> Tensor:
    """Sums of log-likelihoods, each by one whole prompt -> [n]."""
    sums = []
    for name in names:
        shares = model(input_ids=torch.tensor([prefix + name]), use_cache=False).logits[0].log_softmax(-1)
        places = range(len(prefix) - 1, len(prefix) + len(name) - 1)
        sums.append(sum(float(shares[place, token]) for place, token in zip(places, name)))
    return torch.tensor(sums)


@pytest.mark.parametrize("batch_tokens", [1, 130, 4096])
def test_it_equals_whole_prompts_in_chunks_of_any_size(llama: Any, batch_tokens: int) -> None:
    found = PrefixScorer(llama, "sum", batch_tokens).score(PREFIX, NAMES)
    assert torch.allclose(found, whole_prompts(llama, PREFIX, NAMES), atol=1e-4)


def test_it_equals_whole_prompts_for_one_candidate_and_a_prefix_of_one_token(llama: Any) -> None:
    found = PrefixScorer(llama, "sum").score(PREFIX[:1], NAMES[2:3])
    assert torch.allclose(found, whole_prompts(llama, PREFIX[:1], NAMES[2:3]), atol=1e-4)


def test_the_mean_is_the_sum_over_the_tokens(llama: Any) -> None:
    lengths = torch.tensor([len(name) for name in NAMES])
    found = PrefixScorer(llama, "mean").score(PREFIX, NAMES)
    assert torch.allclose(found * lengths, whole_prompts(llama, PREFIX, NAMES), atol=1e-4)


def test_a_score_does_not_depend_on_the_other_candidates(llama: Any) -> None:
    scorer = PrefixScorer(llama)
    together = scorer.score(PREFIX, NAMES)
    alone = torch.cat([scorer.score(PREFIX, [name]) for name in NAMES])
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_prefix_runs_once_and_a_batch_holds_no_more_tokens_than_asked(llama: Any, monkeypatch: Any) -> None:
    shapes: list[tuple[int, int]] = []
    original = llama.forward

    def spy(*args: Any, **given: Any) -> Any:
        shapes.append(tuple(given["input_ids"].shape))
        return original(*args, **given)

    monkeypatch.setattr(llama, "forward", spy)
    PrefixScorer(llama, batch_tokens=130).score(PREFIX, NAMES)
    assert shapes[0] == (1, len(PREFIX)) and len(shapes) > 2
    assert all(rows * (len(PREFIX) + width + 1) <= 130 for rows, width in shapes[1:])


def test_a_prefix_beyond_the_context_loses_its_beginning_and_is_counted(llama: Any) -> None:
    long, scorer = PREFIX * 24, PrefixScorer(llama, "sum")
    kept = long[-(1024 - len(NAMES[2])):]
    assert torch.equal(scorer.score(long, NAMES), PrefixScorer(llama, "sum").score(kept, NAMES))
    scorer.score(long, NAMES)
    scorer.score(PREFIX, NAMES)
    assert scorer.cut == 2


def test_the_first_prefix_that_is_cut_is_told_in_the_log(llama: Any, caplog: pytest.LogCaptureFixture) -> None:
    PrefixScorer(llama).score(PREFIX * 24, NAMES)
    assert "lost its beginning: the context takes 1006" in caplog.text and "food" not in caplog.text


@pytest.mark.parametrize(("prefix", "names"), [([], NAMES), (PREFIX, []), (PREFIX, [[1], []])])
def test_nothing_to_read_is_refused(llama: Any, prefix: list[int], names: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="each needs one"):
        PrefixScorer(llama).score(prefix, names)


def test_a_continuation_that_fills_the_context_is_refused(llama: Any) -> None:
    with pytest.raises(ValueError, match="fills the context of 1024"):
        PrefixScorer(llama).score(PREFIX, [[1] * 1024])


def test_memory_that_ran_out_names_the_setting(llama: Any, monkeypatch: Any) -> None:
    def full(*args: Any, **given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(llama, "forward", full)
    with pytest.raises(ConfigError, match="lower --encode_batch_tokens"):
        PrefixScorer(llama).score(PREFIX, NAMES)


def test_a_sliding_window_is_kept(tmp_path: Path) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    model = MistralForCausalLM(MistralConfig(
        vocab_size=256, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, sliding_window=16, initializer_range=0.5)).eval()
    found = PrefixScorer(model, "sum", 130).score(PREFIX, NAMES)
    assert torch.allclose(found, whole_prompts(model, PREFIX, NAMES), atol=1e-4)
