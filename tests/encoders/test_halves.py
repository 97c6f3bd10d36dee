"""CausalHalves: a language model cut in two scores what the whole one scores, and its lower half runs once."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from recbole_medmoe.encoders import MoLoraConfig, PrefixScorer
from recbole_medmoe.encoders.halves import CausalHalves
from recbole_medmoe.encoders.kept import KeptTexts
from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.errors import ConfigError

from peft import get_peft_model

from tests.encoders.meters import Meters
from tests.encoders.whole_prompts import table, tables, whole_prompts

CPU, FULL = torch.device("cpu"), torch.float32
PREFIXES = [list(b"A patient asks which food"), list(b"W"), list(b"To drink")]
OPTIONS = [[list(text) for text in texts] for texts in ((b" oats", b" red beet", b"x"), (b" a", b" to"), (b" milk",))]


def halves_of(folder: Path, tuned: int | None = 1, **options: Any) -> CausalHalves:
    return CausalHalves(folder, tuned=tuned, device=CPU, lower_dtype=FULL, upper_dtype=FULL, **options)


def adapted(halves: CausalHalves) -> CausalHalves:
    """With MoLoRA on the upper half that adds something."""
    torch.manual_seed(0)
    halves.upper = get_peft_model(halves.upper, MoLoraConfig(r=2, target_modules=["up_proj", "down_proj"]))
    for name, weight in halves.named_parameters():
        if name.endswith(".B"):
            torch.nn.init.normal_(weight, std=0.3)
    return halves.eval()


def lower_passes(halves: CausalHalves, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Shapes of the token ids that the lower half reads from now on."""
    shapes: list[tuple[int, int]] = []
    original = halves.lower.forward

    def spy(*args: Any, **given: Any) -> Any:
        shapes.append(tuple(given["input_ids"].shape))
        return original(*args, **given)

    monkeypatch.setattr(halves.lower, "forward", spy)
    return shapes


@pytest.mark.parametrize("batch_tokens", [25, 4096])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("tuned", [1, 2, None])
def test_halves_equal_the_whole(tiny_llama: Path, tuned: int | None, keep: bool, batch_tokens: int) -> None:
    scorer = PrefixScorer(halves_of(tiny_llama, tuned, keep=keep), "sum", batch_tokens)
    with torch.no_grad():
        wanted = whole_prompts(load_backbone(tiny_llama, CPU, FULL, head=True)[1], PREFIXES, OPTIONS)
    for way in (scorer, scorer.score, scorer):
        torch.testing.assert_close(way(table(PREFIXES), tables(OPTIONS)), wanted, atol=1e-4, rtol=0)


def test_adapted_halves_equal_the_whole_with_the_same_adapter(tiny_llama: Path) -> None:
    halves = adapted(halves_of(tiny_llama))
    whole = load_backbone(tiny_llama, CPU, FULL, head=True)[1]
    whole.model.layers[1] = halves.upper.get_base_model().model.layers[0]
    scorer = PrefixScorer(halves, "sum")
    with torch.no_grad():
        wanted = whole_prompts(whole, PREFIXES, OPTIONS)
    for way in (scorer, scorer.score):
        torch.testing.assert_close(way(table(PREFIXES), tables(OPTIONS)), wanted, atol=1e-4, rtol=0)


def test_the_lower_half_runs_once_per_text(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = halves_of(tiny_llama)
    scorer, shapes = PrefixScorer(halves), lower_passes(halves, monkeypatch)
    scorer(table(PREFIXES), tables(OPTIONS))
    first = len(shapes)
    scorer.score(table(PREFIXES), tables(OPTIONS))
    scorer(table(PREFIXES), tables(OPTIONS))
    assert first == len(shapes) == 1


@pytest.mark.parametrize("way", ["train", "score"])
def test_a_prefix_is_read_once_though_its_options_take_several_chunks(
        tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    halves = halves_of(tiny_llama)
    scorer, shapes = PrefixScorer(halves, batch_tokens=60), lower_passes(halves, monkeypatch)
    monkeypatch.setattr("recbole_medmoe.encoders.prefix._WIDEST", 8)   # of options over cached keys
    names = [list(f" {letter}oat".encode()) for letter in "abcdef"]
    (scorer if way == "train" else scorer.score)(table([PREFIXES[0]] * 2), tables([names, names[:2]]))
    assert shapes == [(1, len(PREFIXES[0]) + sum(len(name) - 1 for name in names))]


def test_of_new_options_alone_the_lower_half_reads_only_these(tiny_llama: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    halves, more = halves_of(tiny_llama), [*OPTIONS[0], list(b" leek")]
    scorer = PrefixScorer(halves)
    scorer(table(PREFIXES[:1]), tables(OPTIONS[:1]))
    shapes = lower_passes(halves, monkeypatch)
    scorer(table(PREFIXES[:1]), tables([more]))
    assert shapes == [(1, len(PREFIXES[0]) + 4)]


def test_what_is_kept_can_be_handed_on(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, torch.Tensor] = {}
    first = PrefixScorer(halves_of(tiny_llama, kept=kept)).score(table(PREFIXES), tables(OPTIONS))
    second = halves_of(tiny_llama, kept=kept)
    scorer, shapes = PrefixScorer(second), lower_passes(second, monkeypatch)
    assert torch.equal(scorer.score(table(PREFIXES), tables(OPTIONS)), first) and not shapes


def test_a_later_run_finds_what_is_kept_in_the_store(tiny_llama: Path, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    first = halves_of(tiny_llama, store=KeptTexts(tmp_path, {}))
    wanted = PrefixScorer(first).score(table(PREFIXES), tables(OPTIONS))
    first.train().eval()
    second = halves_of(tiny_llama, store=KeptTexts(tmp_path, {}))
    scorer, shapes = PrefixScorer(second), lower_passes(second, monkeypatch)
    assert torch.equal(scorer.score(table(PREFIXES), tables(OPTIONS)), wanted) and not shapes


@pytest.mark.parametrize("way", ["score", "states"])
def test_what_an_evaluation_reads_is_in_the_store_though_no_training_follows(tiny_llama: Path, tmp_path: Path,
                                                                             way: str) -> None:
    halves = halves_of(tiny_llama, store=KeptTexts(tmp_path, {}))
    if way == "states":
        halves.states(table(PREFIXES), 4096)
    else:
        PrefixScorer(halves).score(table(PREFIXES), tables(OPTIONS))
    assert set(KeptTexts(tmp_path, {}).get(halves._kept)) == set(halves._kept) != set()


@pytest.mark.parametrize("way", ["train", "score", "states"])
def test_the_store_is_asked_once_however_many_chunks_there_are(tiny_llama: Path, tmp_path: Path, way: str,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    halves = halves_of(tiny_llama, store=KeptTexts(tmp_path, {}))
    scorer, asked = PrefixScorer(halves, batch_tokens=25), []
    monkeypatch.setattr(KeptTexts, "get", lambda self, texts: asked.append(len(list(texts))) or {})
    if way == "states":
        halves.states(table(PREFIXES), 25)
    else:
        (scorer if way == "train" else scorer.score)(table(PREFIXES), tables(OPTIONS))
    assert asked == [3 if way == "states" else 9]


@pytest.mark.parametrize(("chunks", "shown"), [(7, False), (9, True)])
def test_progress_is_shown_where_many_texts_are_read_for_the_first_time(
        tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, chunks: int, shown: bool) -> None:
    meters = Meters(monkeypatch, "halves")
    halves = halves_of(tiny_llama, progress=True)
    texts = torch.randint(0, 256, (chunks, 6))
    halves.states(texts, 6)
    halves.states(texts, 6)
    assert meters.told == [("frozen layers read the texts", 6 * chunks, shown, 6 * chunks),
                           ("frozen layers read the texts", 0, False, 0)]


@pytest.mark.parametrize("way", ["train", "score"])
def test_progress_counts_each_new_token_once(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    scorer = PrefixScorer(halves_of(tiny_llama), batch_tokens=25)
    meters = Meters(monkeypatch, "halves")
    (scorer if way == "train" else scorer.score)(table(PREFIXES), tables(OPTIONS))
    size = sum(map(len, PREFIXES)) + sum(len(option) - 1 for own in OPTIONS for option in own)
    assert [(total, done) for _, total, _, done in meters.told] == [(size, size)]


def test_gradients_reach_the_adapter_and_nothing_else(tiny_llama: Path) -> None:
    halves = adapted(halves_of(tiny_llama)).train()
    PrefixScorer(halves)(table(PREFIXES), tables(OPTIONS)).sum().backward()
    reached = {name for name, weight in halves.named_parameters() if weight.grad is not None}
    assert reached == {name for name, _ in halves.named_parameters() if ".molora_experts." in name}


def test_gradients_are_the_same_under_checkpointing(tiny_llama: Path) -> None:
    found = []
    for again in (False, True):
        halves = adapted(halves_of(tiny_llama, 2, checkpointing=again)).train()
        PrefixScorer(halves)(table(PREFIXES), tables(OPTIONS)).sum().backward()
        found.append([weight.grad for weight in halves.parameters() if weight.grad is not None])
    for plain, recomputed in zip(*found):
        torch.testing.assert_close(plain, recomputed)


def test_the_lower_half_stays_in_evaluation(tiny_llama: Path) -> None:
    halves = halves_of(tiny_llama).train()
    assert not halves.lower.training and halves.upper.training


@pytest.mark.parametrize("batch_tokens", [10, 4096])
def test_states_are_those_of_the_last_tokens(tiny_llama: Path, batch_tokens: int) -> None:
    found = halves_of(tiny_llama).states(table(PREFIXES), batch_tokens)
    whole = load_backbone(tiny_llama, CPU, FULL)[1]
    for row, prefix in zip(found, PREFIXES):
        wanted = whole(input_ids=torch.tensor([prefix])).last_hidden_state[0, -1]
        torch.testing.assert_close(row, wanted, atol=1e-4, rtol=0)


def test_states_of_an_adapted_half_carry_gradients(tiny_llama: Path) -> None:
    halves = adapted(halves_of(tiny_llama)).train()
    halves.states(table(PREFIXES), 4096).sum().backward()
    assert all(weight.grad is not None for name, weight in halves.named_parameters() if name.endswith(".A"))


def test_more_blocks_than_there_are_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match="the backbone has 2 layers"):
        halves_of(tiny_llama, 3)
