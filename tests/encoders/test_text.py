from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from recbole_medmoe.encoders import EncoderSpec, TextEncoder, encode_texts
from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.errors import ConfigError, DataError

WORDS = "low sodium diet, likes ripe bananas and oat milk; hypertension, statin".split()
TEXTS = [" ".join(np.random.default_rng(seed).permutation(WORDS)[:1 + seed % 7]) for seed in range(25)]


@pytest.fixture
def template(tmp_path: Path) -> str:
    (tmp_path / "ask.txt").write_text("Patient: {text} End.", encoding="utf-8")
    return str(tmp_path / "ask.txt")


@pytest.mark.parametrize("readout", ["mean", "last", "layers"])
def test_batched_and_bucketed_equals_one_by_one(tiny_llama: Path, readout: str) -> None:
    encoder = TextEncoder(EncoderSpec("text", str(tiny_llama), readout))
    together = encoder.encode(TEXTS, batch_tokens=200)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=1e-5)


def test_an_encoder_that_reads_both_ways_is_not_moved_by_padding(tiny_bert: Path) -> None:
    encoder = TextEncoder(EncoderSpec("text", str(tiny_bert), "mean", max_tokens=64))
    together = encoder.encode(TEXTS, batch_tokens=200)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=1e-5)


def test_rows_come_back_in_the_order_given(tiny_llama: Path) -> None:
    encoder = TextEncoder(EncoderSpec("text", str(tiny_llama), "mean"))
    forth, back = encoder.encode(TEXTS, batch_tokens=150), encoder.encode(TEXTS[::-1], batch_tokens=150)
    np.testing.assert_allclose(forth, back[::-1], atol=1e-5, rtol=1e-5)
    assert len(np.unique(forth[:7].round(3), axis=0)) == 7


def test_the_template_stands_around_the_text(tiny_llama: Path, template: str) -> None:
    asked = encode_texts(EncoderSpec("text", str(tiny_llama), "mean", template), ["oats"])
    whole = encode_texts(EncoderSpec("text", str(tiny_llama), "mean"), ["Patient: oats End."])
    np.testing.assert_array_equal(asked, whole)


def test_a_long_text_loses_its_end_and_the_template_nothing(tiny_llama: Path, template: str,
                                                            caplog: pytest.LogCaptureFixture) -> None:
    encoder = TextEncoder(EncoderSpec("text", str(tiny_llama), "last", template, max_tokens=19))
    with caplog.at_level(logging.WARNING, logger="recbole_medmoe"):
        cut = encoder.encode(["banana bread", "oat"])
    np.testing.assert_allclose(cut[:1], encoder.encode(["banan"]), atol=1e-5)
    assert "1 of 2 prompts" in caplog.text and "banana" not in caplog.text


def test_the_number_of_cut_texts_is_told(tiny_llama: Path) -> None:
    encoder = TextEncoder(EncoderSpec("text", str(tiny_llama), "mean", max_tokens=4))
    encoder.encode(["abcd", "abcde", "abcdefgh"])
    assert encoder.truncated == 2


def test_a_template_that_fills_max_tokens_is_refused(tiny_llama: Path, template: str) -> None:
    with pytest.raises(ConfigError, match="alone has 14 tokens"):
        encode_texts(EncoderSpec("text", str(tiny_llama), "mean", template, max_tokens=10), ["oats"])


def test_a_text_without_tokens_is_named_by_number(tiny_llama: Path) -> None:
    with pytest.raises(DataError, match="text number 2 of 2"):
        encode_texts(EncoderSpec("text", str(tiny_llama), "mean"), ["oats", ""])


def test_nothing_to_encode_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(DataError, match="nothing to encode"):
        encode_texts(EncoderSpec("text", str(tiny_llama), "mean"), [])


def test_last_token_of_an_encoder_that_reads_both_ways_is_refused(tiny_bert: Path) -> None:
    with pytest.raises(ConfigError, match="reads both ways; use mean"):
        TextEncoder(EncoderSpec("text", str(tiny_bert), "last", max_tokens=64))


def test_more_tokens_than_the_backbone_takes_are_refused(tiny_bert: Path) -> None:
    with pytest.raises(ConfigError, match="at most 64"):
        TextEncoder(EncoderSpec("text", str(tiny_bert), "mean", max_tokens=65))


def test_a_folder_that_lacks_weights_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in tiny_llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tiny_llama / "model.safetensors")
    tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match="lacks 1 weights, e.g. layers.1.mlp.up_proj.weight"):
        load_backbone(tmp_path, torch.device("cpu"), torch.float32)


def test_a_folder_without_the_head_that_is_asked_for_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    load_backbone(tiny_llama, torch.device("cpu"), torch.float32)[1].save_pretrained(tmp_path)
    for file in tiny_llama.glob("token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ConfigError, match="lacks 1 weights, e.g. lm_head.weight"):
        load_backbone(tmp_path, torch.device("cpu"), torch.float32, head=True)


def test_a_folder_with_broken_weights_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    for file in tiny_llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_backbone(tmp_path, torch.device("cpu"), torch.float32)


def test_a_frozen_backbone_takes_no_gradient(tiny_llama: Path) -> None:
    model = load_backbone(tiny_llama, torch.device("cpu"), torch.float32)[1]
    assert not model.training and not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("fault", [torch.OutOfMemoryError("CUDA out of memory"),
                                   RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_memory_that_ran_out_names_the_setting(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, fault) -> None:
    encoder = TextEncoder(EncoderSpec("text", str(tiny_llama), "mean"))

    def full(ids, mask):
        raise fault

    monkeypatch.setattr(encoder, "readout", full)
    with pytest.raises(ConfigError, match="lower --encode_batch_tokens"):
        encoder.encode(TEXTS)


@pytest.mark.e2e
def test_minilm_puts_the_right_food_nearest() -> None:
    spec = EncoderSpec("text", "minilm-l6", "mean")
    texts = ["iron deficiency anemia", "Spinach and red meat, rich in iron", "Chocolate cake", "Unsalted vegetables"]
    vectors = encode_texts(spec, texts, progress=False)
    cosines = vectors[1:] @ vectors[0] / np.linalg.norm(vectors[1:], axis=1)
    assert vectors.shape == (4, 384) and cosines.argmax() == 0
