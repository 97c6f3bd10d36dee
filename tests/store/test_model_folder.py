"""A model folder is written whole, and every kind of damage is told by name."""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from recbole_medmoe.errors import CheckpointError
from recbole_medmoe.store import load_model, save_model

META = {"class": "recbole_medmoe.model.medmoe:MedMoE", "config": {"epochs": 3}}


def _save(folder: Path) -> Path:
    weight = torch.arange(6.0).reshape(2, 3)
    tensors = {"weight": weight, "tied": weight, "turned": weight.T, "seen": torch.tensor([True, False]),
               "none": torch.zeros(0, 3), "half": torch.ones(2, dtype=torch.bfloat16)}
    return save_model(folder, tensors, {"vocab": {"items": ["a", "é"]}}, META, {"catalogue": {"x": torch.ones(2)}})


def test_round_trip(tmp_path: Path) -> None:
    stored = load_model(_save(tmp_path / "model"))
    weight = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(stored.tensors["weight"], weight) and torch.equal(stored.tensors["turned"], weight.T)
    assert stored.tensors["seen"].tolist() == [True, False] and stored.tensors["half"].dtype == torch.bfloat16
    assert stored.extra["catalogue"]["x"].tolist() == [1.0, 1.0]
    assert stored.documents == {"vocab": {"items": ["a", "é"]}} and stored.meta == META


def test_files(tmp_path: Path) -> None:
    folder = _save(tmp_path / "model")
    assert sorted(os.listdir(folder)) == ["catalogue.safetensors", "manifest.json", "meta.json", "model.safetensors",
                                          "vocab.json"]
    assert os.listdir(tmp_path) == ["model"]


def test_manifest(tmp_path: Path) -> None:
    manifest = json.loads((_save(tmp_path / "model") / "manifest.json").read_text())
    assert manifest["schema"] == 1 and manifest["class"] == META["class"] and "torch" in manifest["versions"]
    assert len(manifest["files"]["model.safetensors"]["sha256"]) == 64


def test_copied_folder_loads(tmp_path: Path) -> None:
    _save(tmp_path / "model").rename(tmp_path / "elsewhere")
    assert load_model(tmp_path / "elsewhere").meta == META


def test_earlier_folder_is_not_overwritten(tmp_path: Path) -> None:
    _save(tmp_path / "model")
    with pytest.raises(CheckpointError, match="model: is there already; nothing is overwritten"):
        _save(tmp_path / "model")


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(CheckpointError, match="model: cannot be written .No space left on device"):
        _save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("documents", "told"), [
    ({"vocab": {"x": float("nan")}}, "vocab.json: a value that JSON cannot hold"),
    ({"vocab": {"x": object()}}, "vocab.json: a value that JSON cannot hold"),
    ({"../x": {}}, "'../x' cannot name a file"), ({"manifest": {}}, "'manifest' cannot name a file"),
    ({"meta": {}, "a/b": {}}, "'a/b' cannot name a file")])
def test_document_that_cannot_be_stored(tmp_path: Path, documents: dict[str, object], told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        save_model(tmp_path / "model", {}, documents, META)


def test_sparse_tensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="model.safetensors: 'graph' is no dense tensor"):
        save_model(tmp_path / "model", {"graph": torch.eye(2).to_sparse()}, {}, META)


@pytest.mark.parametrize("name", ["model.safetensors", "catalogue.safetensors", "vocab.json", "meta.json"])
def test_truncated_file(tmp_path: Path, name: str) -> None:
    path = _save(tmp_path / "model") / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=f"{name}: truncated: .* copy the folder anew from where it was trained"):
        load_model(path.parent)


def test_altered_file(tmp_path: Path) -> None:
    path = _save(tmp_path / "model") / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="model.safetensors: altered: its SHA-256 is not the manifest's; copy"):
        load_model(path.parent)


def test_missing_file(tmp_path: Path) -> None:
    folder = _save(tmp_path / "model")
    (folder / "vocab.json").unlink()
    with pytest.raises(CheckpointError, match="vocab.json: missing; copy the folder anew"):
        load_model(folder)


def test_file_that_the_manifest_does_not_list(tmp_path: Path) -> None:
    folder = _save(tmp_path / "model")
    (folder / "other.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="other.safetensors: foreign: the manifest does not list it; remove it"):
        load_model(folder)


@pytest.mark.parametrize(("text", "told"), [
    (None, "manifest.json: missing, so this is no model folder of recbole_medmoe; give the model/ folder of a run"),
    ("{", "manifest.json: not JSON, so truncated or altered"),
    ("[]", "manifest.json: foreign: not written by recbole_medmoe"),
    ('{"format": "peft"}', "manifest.json: foreign: not written by recbole_medmoe")])
def test_manifest_of_no_use(tmp_path: Path, text: str | None, told: str) -> None:
    path = _save(tmp_path / "model") / "manifest.json"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    with pytest.raises(CheckpointError, match=told):
        load_model(path.parent)


@pytest.mark.parametrize(("key", "value", "told"), [
    ("schema", 9, "manifest.json: schema 9, but this version reads schema 1; use the version"),
    ("files", {}, "manifest.json: altered: class or files are not named"),
    ("class", None, "manifest.json: altered: class or files are not named")])
def test_altered_manifest(tmp_path: Path, key: str, value: object, told: str) -> None:
    path = _save(tmp_path / "model") / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(CheckpointError, match=told):
        load_model(path.parent)


def test_path_in_the_manifest_is_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "model") / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["../secret.json"] = {"size": 1, "sha256": ""}
    path.write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="'../secret.json' is no file of a model folder"):
        load_model(path.parent)


def test_another_class(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="model: holds a recbole_medmoe.model.medmoe:MedMoE, not a x:Pop"):
        load_model(_save(tmp_path / "model"), expected_class="x:Pop")
