"""Loading of backbones in 4 bits, as far as that goes without a GPU."""
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recbole_medmoe.encoders import loading
from recbole_medmoe.errors import ConfigError, MissingPackageError


def test_four_bits_need_a_gpu(tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match="quantise: 'nf4' needs an NVIDIA GPU and the device is cpu; set --device"):
        loading.load_backbone(tiny_llama, torch.device("cpu"), torch.float32, quantise="nf4")


def test_a_missing_package_is_named_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r'needs the package bitsandbytes.*"recbole_medmoe\[quant\]"'):
        loading.load_backbone(tmp_path, torch.device("cuda:0"), torch.bfloat16, quantise="nf4")


def test_four_bits_are_asked_of_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: object())
    found = loading._four_bits("nf4", torch.device("cuda:1"), torch.bfloat16)
    settings = found["quantization_config"]
    assert found["device_map"] == {"": torch.device("cuda:1")} and settings.load_in_4bit
    assert (settings.bnb_4bit_quant_type, settings.bnb_4bit_use_double_quant) == ("nf4", True)
    assert settings.bnb_4bit_compute_dtype == torch.bfloat16
