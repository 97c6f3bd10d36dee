"""PromptTokenizer: prompts as token ids, cut and filled up."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recbole_medmoe.encoders import PADDING, EncoderSpec, PromptTokenizer, TextEncoder
from recbole_medmoe.errors import ConfigError, DataError


@pytest.fixture
def template(tmp_path: Path) -> str:
    (tmp_path / "ask.txt").write_text("Patient: {text} End.", encoding="utf-8")
    return str(tmp_path / "ask.txt")


def test_rows_are_filled_up_on_the_right_to_the_longest(tiny_llama: Path) -> None:
    ids, present = PromptTokenizer.load(str(tiny_llama), None, 20).table(["oat", "banana"])
    assert ids.dtype == np.int64 and ids.shape == (2, 6) and present.tolist() == [True, True]
    assert (ids[0] != PADDING).tolist() == [True] * 3 + [False] * 3 and (ids[1] != PADDING).all()


@pytest.mark.parametrize("empty", [None, "", " \n"])
def test_an_absent_text_is_padding_throughout(tiny_llama: Path, template: str, empty: str | None) -> None:
    ids, present = PromptTokenizer.load(str(tiny_llama), template, 40).table([empty, "oat"])
    assert present.tolist() == [False, True] and (ids[0] == PADDING).all()


def test_no_text_at_all_makes_a_table_of_one_column(tiny_llama: Path) -> None:
    ids, present = PromptTokenizer.load(str(tiny_llama), None, 20).table([None, ""])
    assert ids.tolist() == [[PADDING], [PADDING]] and not present.any()


def test_a_long_text_loses_its_end_and_the_template_nothing(tiny_llama: Path, template: str) -> None:
    prompts = PromptTokenizer.load(str(tiny_llama), template, 19)
    assert prompts.rows(["banana bread"])[0].tolist() == prompts.rows(["banan"])[0].tolist()
    assert prompts.truncated == 0
    prompts.rows(["banana bread", "oat"])
    assert prompts.truncated == 1


def test_a_template_that_fills_max_tokens_is_refused(tiny_llama: Path, template: str) -> None:
    with pytest.raises(ConfigError, match="alone has 14 tokens"):
        PromptTokenizer.load(str(tiny_llama), template, 10).rows(["oats"])


def test_a_text_without_a_token_is_named_by_number(tiny_llama: Path) -> None:
    with pytest.raises(DataError, match="text number 2 of 2"):
        PromptTokenizer.load(str(tiny_llama), None, 10).rows(["oats", ""])


def test_a_text_encoder_reads_the_same_ids(tiny_llama: Path, template: str) -> None:
    encoder = TextEncoder(EncoderSpec("text", str(tiny_llama), "last", template, max_tokens=19))
    prompts = PromptTokenizer.load(str(tiny_llama), template, 19)
    assert encoder.prompts.rows(["banana bread"])[0].tolist() == prompts.rows(["banana bread"])[0].tolist()


def test_a_backbone_for_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"weights")
    with pytest.raises(ConfigError, match="reads pictures"):
        PromptTokenizer.load(f"torchvision:resnet18:{tmp_path / 'net.pth'}", None, 10)


def test_a_folder_without_a_tokenizer_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_llama / name).read_bytes())
    with pytest.raises(ConfigError, match="tokenizer of backbone folder"):
        PromptTokenizer.load(str(tmp_path), None, 10)


def test_a_template_may_ask_for_the_name_alone(tiny_llama: Path, tmp_path: Path) -> None:
    (tmp_path / "name.txt").write_text(" {name}", encoding="utf-8")
    named = PromptTokenizer.load(str(tiny_llama), str(tmp_path / "name.txt"), 20)
    plain = PromptTokenizer.load(str(tiny_llama), None, 20)
    assert named.rows(["Oats. A grain."])[0].tolist() == plain.rows([" Oats"])[0].tolist()


def test_a_continuation_has_none_of_the_tokenizers_own_tokens() -> None:
    def tokenizer(prompts: list[str], add_special_tokens: bool, **given: bool) -> dict[str, list[list[int]]]:
        return {"input_ids": [[1] * add_special_tokens + [len(prompt)] for prompt in prompts]}

    assert PromptTokenizer(tokenizer, None, 9).rows(["oat"])[0].tolist() == [1, 3]
    assert PromptTokenizer(tokenizer, None, 9, special=False).rows(["oat"])[0].tolist() == [3]
