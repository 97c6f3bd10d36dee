"""Frozen text, language-model and image encoders, and the feature banks that they fill.

Names load on first use: importing this package loads neither torch nor transformers.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backbones import BACKBONES, Backbone, backbone_sha256, packaged_path, resolve_backbone
    from .bank import FeatureBank, content_hash
    from .blur import blurred_pictures
    from .image import encode_images
    from .molora import MoLoraConfig
    from .obtain import bank_name, obtain_bank, verify_bank
    from .prefix import PrefixScorer
    from .prompts import Template, load_template, render_prompt
    from .spec import EncoderSpec
    from .text import TextEncoder, encode_texts
    from .tokens import PADDING, PromptTokenizer

_HOME = {
    "BACKBONES": "backbones", "Backbone": "backbones", "backbone_sha256": "backbones", "packaged_path": "backbones",
    "resolve_backbone": "backbones",
    "EncoderSpec": "spec",
    "FeatureBank": "bank", "content_hash": "bank",
    "MoLoraConfig": "molora",
    "PrefixScorer": "prefix",
    "Template": "prompts", "load_template": "prompts", "render_prompt": "prompts",
    "TextEncoder": "text", "encode_texts": "text",
    "PADDING": "tokens", "PromptTokenizer": "tokens",
    "blurred_pictures": "blur", "encode_images": "image",
    "bank_name": "obtain", "obtain_bank": "obtain", "verify_bank": "obtain",
}
__all__ = [
    "BACKBONES", "Backbone", "EncoderSpec", "FeatureBank", "MoLoraConfig", "PADDING", "PrefixScorer", "PromptTokenizer",
    "Template", "TextEncoder", "backbone_sha256", "bank_name", "blurred_pictures", "content_hash", "encode_images",
    "encode_texts", "load_template", "obtain_bank", "packaged_path", "render_prompt", "resolve_backbone",
    "verify_bank",
]


def __getattr__(name: str) -> Any:
    """Finds the file that holds a public name."""
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
