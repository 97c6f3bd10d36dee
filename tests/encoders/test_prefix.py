"""PrefixScorer: equal to whole prompts, whatever the split, the batch and the chunks."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from recbole_medmoe.encoders import PrefixScorer
from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.errors import ConfigError

from tests.encoders.whole_prompts import table, tables, whole_prompts

WORDS = list(b"A patient asks which food suits them. It is")
PREFIXES = [WORDS, WORDS[:1], WORDS[3:20], WORDS[10:12]]
OPTIONS = [[list(text) for text in texts] for texts in (
    (b" oats", b" a", b" red beet and leek", b"x", b" banana", b" kiwi"), (b"to", b"z"), (b" plum",),
    (b"1", b"2", b"3"))]
SMALL: dict[str, Any] = {"vocab_size": 256, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA: dict[str, Any] = {**SMALL, "intermediate_size": 32, "num_key_value_heads": 2, "max_position_embeddings": 512,
                         "initializer_range": 0.5}
KINDS: dict[str, dict[str, Any]] = {
    "Qwen2": LLAMA, "GPT2": {"vocab_size": 256, "n_positions": 512, "n_embd": 16, "n_layer": 2, "n_head": 4,
                             "initializer_range": 0.5},
    "GPTNeoX": {**SMALL, "intermediate_size": 32, "initializer_range": 0.5},
    "Mistral": {**LLAMA, "sliding_window": 6},
    "Gemma3": {**LLAMA, "head_dim": 4, "sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"]},
}


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> Any:
    return load_backbone(tiny_llama, torch.device("cpu"), torch.float32, head=True)[1]


def model_of(kind: str, **options: Any) -> Any:
    torch.manual_seed(0)
    name = "Gemma3TextConfig" if kind == "Gemma3" else f"{kind}Config"
    config = getattr(transformers, name)(**{**KINDS.get(kind, {}), **options}, bos_token_id=0, eos_token_id=0)
    model = "GPT2LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM"
    return getattr(transformers, model)(config).eval()


def wanted(model: Any, normalise: str = "sum") -> Tensor:
    with torch.no_grad():
        sums = whole_prompts(model, PREFIXES, OPTIONS)
    return sums / (tables(OPTIONS) >= 0).sum(-1).clamp(min=1) if normalise == "mean" else sums


@pytest.mark.parametrize("batch_tokens", [1, 60, 4096])
@pytest.mark.parametrize("normalise", ["sum", "mean"])
def test_both_ways_equal_whole_prompts_in_chunks_of_any_size(llama: Any, normalise: Any, batch_tokens: int) -> None:
    scorer = PrefixScorer(llama, normalise, batch_tokens)
    for way in (scorer, scorer.score):
        torch.testing.assert_close(way(table(PREFIXES), tables(OPTIONS)), wanted(llama, normalise), atol=1e-4, rtol=0)


@pytest.mark.parametrize("place", range(1, 12))
def test_it_does_not_matter_where_a_text_is_split(llama: Any, place: int) -> None:
    text, scorer = WORDS[:12], PrefixScorer(llama, "sum")
    with torch.no_grad():
        shares = llama(input_ids=torch.tensor([text])).logits[0].log_softmax(-1)
    told = shares[torch.arange(place - 1, 11), torch.tensor(text[place:])].sum()
    for way in (scorer, scorer.score):
        assert float(way(table([text[:place]]), tables([[text[place:]]]))) == pytest.approx(float(told), abs=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_other_kinds_of_models_equal_their_whole_prompts(kind: str, attention: str) -> None:
    model = model_of(kind, attn_implementation=attention)
    scorer = PrefixScorer(model, "sum", 60)
    for way in (scorer, scorer.score):
        torch.testing.assert_close(way(table(PREFIXES), tables(OPTIONS)), wanted(model), atol=1e-4, rtol=0)


def test_gradients_are_those_of_whole_prompts(llama: Any) -> None:
    weights = list(llama.parameters())
    for weight in weights:
        weight.requires_grad_(True)
    ours = torch.autograd.grad(PrefixScorer(llama, "sum", 60)(table(PREFIXES), tables(OPTIONS)).square().sum(), weights)
    theirs = torch.autograd.grad(whole_prompts(llama, PREFIXES, OPTIONS).square().sum(), weights)
    llama.requires_grad_(False)
    for own, other in zip(ours, theirs):
        torch.testing.assert_close(own, other, atol=1e-4 * float(other.abs().max()), rtol=0)


def test_gradients_are_the_same_under_checkpointing(tiny_llama: Path) -> None:
    model = load_backbone(tiny_llama, torch.device("cpu"), torch.float32, head=True)[1].train().requires_grad_(True)
    scorer, weights = PrefixScorer(model), list(model.parameters())
    plain = torch.autograd.grad(scorer(table(PREFIXES), tables(OPTIONS)).sum(), weights)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    again = torch.autograd.grad(scorer(table(PREFIXES), tables(OPTIONS)).sum(), weights)
    for one, other in zip(plain, again):
        torch.testing.assert_close(one, other)


def test_scores_do_not_depend_on_other_questions_and_options(llama: Any) -> None:
    scorer = PrefixScorer(llama)
    together = scorer.score(table(PREFIXES), tables(OPTIONS))
    for question, (prefix, own) in enumerate(zip(PREFIXES, OPTIONS)):
        for number, option in enumerate(own):
            alone = scorer.score(table([prefix]), tables([[option]]))
            assert float(alone) == pytest.approx(float(together[question, number]), abs=1e-5)


def passes(llama: Any, monkeypatch: pytest.MonkeyPatch, batch_tokens: int) -> list[tuple[int, int]]:
    """Shapes of the token ids that `score` runs through the model."""
    scorer, shapes, original = PrefixScorer(llama, "sum", batch_tokens), [], llama.forward

    def spy(*args: Any, **given: Any) -> Any:
        shapes.append(tuple(given["input_ids"].shape))
        return original(*args, **given)

    monkeypatch.setattr(llama, "forward", spy)
    scorer.score(table([WORDS, WORDS[::-1]]), tables([OPTIONS[0], OPTIONS[0]]))
    return shapes


def test_each_prefix_runs_once_and_each_option_token_once(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = sum(len(option) - 1 for option in OPTIONS[0])
    assert passes(llama, monkeypatch, 4096) == [(2, len(WORDS) - 1), (2, 1 + read)]


def test_no_pass_has_more_tokens_than_asked(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = passes(llama, monkeypatch, 50)
    assert len(shapes) > 3 and all(rows * width <= 50 for rows, width in shapes)


def test_an_option_that_is_not_there_has_0(llama: Any) -> None:
    found = PrefixScorer(llama).score(table(PREFIXES[:2]), tables([OPTIONS[0], []]))
    assert bool(found[0].all()) and not bool(found[1].any())


def test_questions_without_any_option_have_0(llama: Any) -> None:
    scorer, none = PrefixScorer(llama), torch.full((4, 2, 3), -1)
    for way in (scorer, scorer.score):
        assert torch.equal(way(table(PREFIXES), none), torch.zeros(4, 2))


def test_a_prefix_beyond_the_context_loses_its_beginning_and_is_counted_once(llama: Any) -> None:
    scorer, own = PrefixScorer(llama, "sum"), tables([OPTIONS[0]])
    long, kept = WORDS * 24, (WORDS * 24)[-(1024 - len(OPTIONS[0][2])):]
    assert torch.equal(scorer.score(table([long]), own), scorer.score(table([kept]), own))
    scorer.score(table([long]), own)
    scorer.score(table([WORDS]), own)
    assert scorer.cut == 1
    scorer.score(table([[*WORDS, *long]]), own)
    assert scorer.cut == 2


def test_the_first_prefix_that_is_cut_is_told_in_the_log(llama: Any, caplog: pytest.LogCaptureFixture) -> None:
    PrefixScorer(llama).score(table([WORDS * 24]), tables([OPTIONS[0]]))
    assert "lost its beginning: the context takes 1006" in caplog.text and "food" not in caplog.text


def test_a_prefix_without_a_token_is_refused(llama: Any) -> None:
    with pytest.raises(ValueError, match="leave out rows that have none"):
        PrefixScorer(llama).score(table([WORDS, []]), tables([[[1]], [[1]]]))


def test_an_option_that_fills_the_context_is_refused(llama: Any) -> None:
    with pytest.raises(ValueError, match="fills the context of 1024"):
        PrefixScorer(llama).score(table([WORDS]), tables([[[1] * 1024]]))


def test_evaluation_refuses_a_model_in_training(tiny_llama: Path) -> None:
    model = load_backbone(tiny_llama, torch.device("cpu"), torch.float32, head=True)[1].train()
    with pytest.raises(ValueError, match="call eval"):
        PrefixScorer(model).score(table(PREFIXES), tables(OPTIONS))


@pytest.mark.parametrize("setting", ["encode_batch_tokens", "batch_tokens"])
def test_memory_that_ran_out_names_the_setting(llama: Any, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    scorer = PrefixScorer(llama, setting=setting)

    def full(*args: Any, **given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(llama, "forward", full)
    with pytest.raises(ConfigError, match=f"lower --{setting}"):
        scorer.score(table(PREFIXES), tables(OPTIONS))


@pytest.mark.parametrize("kind, options", [
    ("Falcon", {**SMALL, "alibi": True, "initializer_range": 0.5}),
    ("Bloom", {"vocab_size": 256, "hidden_size": 16, "n_layer": 2, "n_head": 4, "initializer_range": 0.5}),
    ("GPTNeo", {"vocab_size": 256, "hidden_size": 16, "num_layers": 2, "num_heads": 4,
                "attention_types": [[["global", "local"], 1]]}),
])
def test_a_model_that_places_tokens_in_its_own_way_is_refused(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="use a model of the Llama kind"):
        PrefixScorer(model_of(kind, **options, attn_implementation="eager"))


def test_a_model_that_takes_another_mask_than_it_is_given_is_refused(llama: Any, monkeypatch: Any) -> None:
    original = llama.forward
    monkeypatch.setattr(llama, "forward", lambda **given: original(**{**given, "attention_mask": None}))
    with pytest.raises(ConfigError, match="do not get what whole prompts would get"):
        PrefixScorer(llama)
