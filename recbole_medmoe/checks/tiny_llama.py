"""A tiny language model made in code: a Llama of two random layers, and one token per byte."""
from __future__ import annotations

from pathlib import Path

import torch

from ..encoders.loading import quiet_transformers


def make_llama(folder: Path) -> Path:
    """Writes a Llama of 2 layers, width 16, with one token per byte and no padding token, and returns its folder."""
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=256, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024,
                             initializer_range=0.5)
        LlamaForCausalLM(config).save_pretrained(folder)
        save_byte_tokenizer(folder)
    return folder


def save_byte_tokenizer(folder: Path) -> None:
    """Writes a tokenizer whose tokens are the 256 bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
