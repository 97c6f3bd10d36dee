"""Tiny stand-ins made in code: a Llama and a BERT of two random layers, a byte tokenizer, pictures."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recbole_medmoe.checks.tiny_llama import make_llama, save_byte_tokenizer
from recbole_medmoe.encoders.loading import quiet_transformers


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a Llama of 2 layers, width 16, with one token per byte and no padding token."""
    return make_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a BERT of 2 layers, width 16: an encoder that reads both ways."""
    folder = tmp_path_factory.mktemp("bert")
    with quiet_transformers():
        from transformers import BertConfig, BertModel

        torch.manual_seed(0)
        config = BertConfig(vocab_size=256, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                            num_attention_heads=4, max_position_embeddings=64)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
        save_byte_tokenizer(folder)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three pictures of different shapes and modes."""
    noise = np.random.default_rng(0)
    paths = []
    for number, (shape, mode) in enumerate([((40, 30, 3), "RGB"), ((30, 50), "L"), ((300, 260, 4), "RGBA")]):
        path = tmp_path / f"{number}.png"
        Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8), mode=mode).save(path)
        paths.append(path)
    return paths
