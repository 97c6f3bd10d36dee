"""PromptReader: tables of token ids to vectors, the frozen part once per text."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from recbole_medmoe.encoders.kept import KeptTexts
from recbole_medmoe.encoders.lora import LoraSpec
from recbole_medmoe.encoders.reader import PromptReader
from recbole_medmoe.encoders.split import SplitBackbone
from recbole_medmoe.encoders.tokens import PADDING

from tests.encoders.meters import Meters

LENGTHS = [4, 9, 0, 2, 9, 6]


def reader(folder: Path, *, tuned: int | None = 1, keep: bool = True, batch_tokens: int = 20,
           store: KeptTexts | None = None) -> PromptReader:
    torch.manual_seed(0)
    halves = SplitBackbone(folder, tuned=tuned, kind="layers", layers=(), lora=LoraSpec(2, 4.0, 0.0, ("q_proj",)),
                           device=torch.device("cpu"), lower_dtype=torch.float32, upper_dtype=torch.float32)
    return PromptReader(halves, batch_tokens, keep, progress=False, store=store)


def learn(model: PromptReader) -> None:
    """Stands for training: adapters that are no longer new."""
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(weight)


@pytest.fixture(scope="module")
def table() -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    ids = torch.full((len(LENGTHS), max(LENGTHS)), PADDING)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.randint(0, 256, (length,))
    return ids, torch.tensor([length > 0 for length in LENGTHS])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Texts that the lower half has read, call by call."""
    calls: list[int] = []
    enter = SplitBackbone.enter

    def count(self: SplitBackbone, ids: Tensor, mask: Tensor) -> Any:
        calls.append(len(ids))
        return enter(self, ids, mask)

    monkeypatch.setattr(SplitBackbone, "enter", count)
    return calls


@pytest.mark.parametrize("tuned", [1, 2, None])
def test_rows_come_back_in_order_and_equal_to_one_by_one(tiny_llama: Path, table: Any, tuned: int | None) -> None:
    model = reader(tiny_llama, tuned=tuned)
    learn(model)
    together = model(*table)
    for row in range(len(LENGTHS)):
        alone = model(table[0][row:row + 1], table[1][row:row + 1])
        torch.testing.assert_close(together[row:row + 1], alone, atol=1e-5, rtol=1e-5)


def test_kept_states_equal_those_computed_anew(tiny_llama: Path, table: Any) -> None:
    kept, anew = reader(tiny_llama), reader(tiny_llama, keep=False)
    learn(kept), learn(anew)
    for _ in range(2):
        torch.testing.assert_close(kept(*table), anew(*table), atol=1e-5, rtol=1e-5)


def test_gradients_are_the_same_with_kept_states(tiny_llama: Path, table: Any) -> None:
    found = []
    for keep in (True, False):
        model = reader(tiny_llama, keep=keep)
        learn(model)
        model(*table).square().sum().backward()
        found.append([weight.grad for weight in model.parameters() if weight.grad is not None])
    assert len(found[0]) == 2
    for one, other in zip(*found):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_frozen_part_reads_each_text_once(tiny_llama: Path, table: Any, counted: list[int]) -> None:
    model = reader(tiny_llama)
    model(*table)
    model(*table)
    assert sum(counted) == 5


def test_texts_that_are_equal_are_one_text(tiny_llama: Path, table: Any, counted: list[int]) -> None:
    twice = torch.cat([table[0], torch.nn.functional.pad(table[0], (0, 3), value=PADDING)[:, :9]])
    reader(tiny_llama)(twice, table[1].repeat(2))
    assert sum(counted) == 5


def test_nothing_is_kept_where_all_blocks_are_tuned(tiny_llama: Path, table: Any, counted: list[int]) -> None:
    model = reader(tiny_llama, tuned=None)
    model(*table)
    model(*table)
    assert sum(counted) == 10


def test_the_budget_of_tokens_changes_nothing(tiny_llama: Path, table: Any) -> None:
    one, other = reader(tiny_llama, batch_tokens=1), reader(tiny_llama, batch_tokens=10_000)
    torch.testing.assert_close(one(*table), other(*table), atol=1e-5, rtol=1e-5)


def test_an_absent_row_is_zero_and_is_not_read(tiny_llama: Path, table: Any, counted: list[int]) -> None:
    found = reader(tiny_llama)(table[0], torch.zeros(len(LENGTHS), dtype=torch.bool))
    assert found.shape == (6, 48) and not found.any() and not counted


def test_without_tuning_read_outs_are_kept_and_carry_no_gradient(tiny_llama: Path, table: Any,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    model = reader(tiny_llama)
    tuned = model(*table)
    model.tuning = False
    first = model(*table)
    monkeypatch.setattr(SplitBackbone, "leave", lambda *given: pytest.fail("read again"))
    again = model(*table)
    assert tuned.requires_grad and not again.requires_grad
    torch.testing.assert_close(first, tuned, atol=1e-5, rtol=1e-5)
    assert torch.equal(first, again)


def test_what_is_kept_is_no_part_of_the_state(tiny_llama: Path, table: Any) -> None:
    model = reader(tiny_llama)
    before = set(model.state_dict())
    model(*table)
    assert set(model.state_dict()) == before


@pytest.mark.parametrize("tuned", [1, None])
def test_a_new_text_can_be_timed(tiny_llama: Path, table: Any, counted: list[int], tmp_path: Path,
                                 tuned: int | None) -> None:
    model = reader(tiny_llama, tuned=tuned, store=KeptTexts(tmp_path, {}))
    model.tune(False)
    first, once = model(*table), sum(counted)
    with model.nothing_kept():
        assert torch.equal(model(*table), first)
    assert sum(counted) == 2 * once
    model(*table)
    assert sum(counted) == 2 * once


@pytest.mark.parametrize("tuned", [1, None])
def test_a_later_run_reads_nothing_that_the_store_has(tiny_llama: Path, table: Any, counted: list[int], tmp_path: Path,
                                                      tuned: int | None) -> None:
    found = []
    for _ in range(2):
        model = reader(tiny_llama, tuned=tuned, store=KeptTexts(tmp_path, {"cut": tuned}))
        model.tune(False)
        found.append(model(*table))
        read, counted[:] = sum(counted), []
    assert read == 0
    assert torch.equal(*found)


@pytest.mark.parametrize(("texts", "shown"), [(7, False), (9, True)])
def test_progress_is_shown_where_many_texts_are_read_for_the_first_time(
        tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, texts: int, shown: bool) -> None:
    meters, model = Meters(monkeypatch, "reader"), reader(tiny_llama, batch_tokens=6)
    model.progress = True
    model(torch.randint(0, 256, (texts, 6)), torch.ones(texts, dtype=torch.bool))
    assert meters.told == [("frozen layers read the texts", 6 * texts, shown, 6 * texts)]


def test_the_store_has_what_is_tuned_from_not_what_was_tuned(tiny_llama: Path, table: Any, tmp_path: Path) -> None:
    model, later = (reader(tiny_llama, store=KeptTexts(tmp_path, {})) for _ in range(2))
    learn(model)
    tuned = model(*table)
    learn(later)
    assert torch.equal(later(*table), tuned)
    assert not torch.allclose(reader(tiny_llama, store=KeptTexts(tmp_path, {}))(*table), tuned)
