"""GGUF weights, converted once into a safetensors folder that loads in a fraction of the time."""
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ..paths import cache_dir
from .backbones import Backbone
from .loading import quiet_transformers


def converted_folder(backbone: Backbone, cache: Path | None = None) -> Path:
    """Folder of a backbone in the Hugging Face layout; a GGUF file is converted on first use (about 20 s for 135M).

    The folder is named by the hash of the GGUF file, written under a temporary name and renamed, so that a half-made
    one is never read. The parameters equal those of a direct load, in float32.

    Args:
        backbone: as `resolve_backbone` returns it.
        cache: folder of caches; None is `paths.cache_dir()`.
    """
    if backbone.path.suffix != ".gguf":
        return backbone.path
    place = cache_dir(cache) / "backbones" / backbone.sha256
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{backbone.sha256[:12]}.", dir=place.parent))
    try:
        _convert(backbone.path, work)
        try:
            os.rename(work, place)
        except OSError:
            if not place.is_dir():  # else another process was first: its folder is as good
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return place


def _convert(file: Path, out: Path) -> None:
    with quiet_transformers():
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32,
                                                     local_files_only=True)
        # What was read is plain float32 by now; save_pretrained refuses while these still say "gguf".
        model.hf_quantizer, model.is_quantized = None, False
        for name in ("quantization_config", "_pre_quantization_dtype"):
            if hasattr(model.config, name):
                delattr(model.config, name)
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)
