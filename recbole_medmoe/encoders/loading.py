"""Loading of frozen transformers backbones from local folders only."""
from __future__ import annotations

import importlib.util
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import torch

from ..compat import declare_torchvision_operators
from ..errors import ConfigError, MissingPackageError


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Makes transformers importable beside a CPU build of torch, and silences its bars, notices and deprecations."""
    declare_torchvision_operators()
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)   # of calls between peft and transformers
            yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def load_tokenizer(folder: Path) -> Any:
    """Tokenizer of a folder.

    Raises:
        ConfigError: the folder's files do not make one.
    """
    with quiet_transformers():
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as fault:
            raise ConfigError([f"tokenizer of backbone folder {folder} cannot be loaded: {fault}"]) from fault


def load_backbone(folder: Path, device: torch.device, dtype: torch.dtype, *, head: bool = False,
                  quantise: str | None = None) -> tuple[Any, Any]:
    """Tokenizer and frozen model of a folder, in evaluation mode.

    Args:
        folder: in the Hugging Face layout.
        device: where the model goes.
        dtype: number format of its weights.
        head: with the head that predicts the next token; it may share its weights with the token embeddings.
        quantise: ``nf4`` holds the linear maps in 4 bits and computes in ``dtype``; None holds them as they are.

    Raises:
        ConfigError: the folder's files do not make a tokenizer and a model, weights are missing in them, or a device
            that does not quantise.
        MissingPackageError: bitsandbytes, which quantises, is not installed.
    """
    quantised = {} if quantise is None else _four_bits(quantise, device, dtype)
    tokenizer = load_tokenizer(folder)
    with quiet_transformers():
        from transformers import AutoModel, AutoModelForCausalLM

        kind = AutoModelForCausalLM if head else AutoModel
        try:
            model, told = kind.from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True,
                                               output_loading_info=True, **quantised)
        except (OSError, ValueError, KeyError, RuntimeError) as fault:
            raise ConfigError([f"backbone folder {folder} cannot be loaded: {fault}"]) from fault
    # A pooler is never read here; anything else that is missing would run on random numbers.
    missing = sorted(name for name in told["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise ConfigError([f"backbone folder {folder} lacks {len(missing)} weights, e.g. {missing[0]}"])
    return tokenizer, (model if quantised else model.to(device)).eval().requires_grad_(False)


def _four_bits(kind: str, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What transformers must be told to load in 4 bits (Dettmers et al., https://arxiv.org/abs/2305.14314)."""
    if device.type != "cuda":
        raise ConfigError([f"quantise: '{kind}' needs an NVIDIA GPU and the device is {device}; set --device=cuda:0, "
                           "or --quantise=null"])
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingPackageError(f"quantise: '{kind}' needs the package bitsandbytes, which is not installed; run: "
                                  "pip install \"recbole_medmoe[quant]\"")
    with quiet_transformers():
        from transformers import BitsAndBytesConfig

        settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=True,
                                      bnb_4bit_compute_dtype=dtype)
    return {"quantization_config": settings, "device_map": {"": device}}
