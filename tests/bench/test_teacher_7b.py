"""benchmarks/teacher_7b.py with its tiny shape, on a CPU."""
from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest
import torch

from recbole_medmoe.encoders.loading import load_backbone

PLACE = Path(__file__).resolve().parents[2] / "benchmarks" / "teacher_7b.py"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("teacher_7b", PLACE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_the_tiny_shape_leaves_a_record(program: ModuleType, tmp_path: Path,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "record.json"
    assert program.main(["--shape", "tiny", "--device", "cpu", "--batches", "6", "--out", str(out), "--peak", "0.5",
                         "--folder", str(tmp_path), "--precision=no", f"--cache_dir={tmp_path / 'cache'}"]) == 0
    record = json.loads(out.read_text())
    assert "randomly initialised" in record["what"] and "a tiny shape" in record["what"]
    assert record["environment"]["device"] == "cpu" and record["config"]["precision"] == "no"
    training, scoring = record["training"], record["scoring"]
    assert training["batches"] == 6 and 6 <= training["visits"] <= 6 * 64
    for part in (training, scoring):
        assert part["tokens_per_second"] == pytest.approx(part["tokens"] / part["seconds"])
        assert part["share_of_data_sheet"] == pytest.approx(part["tflops_per_second"] / 0.5)
        assert 0 < part["share_of_product"] < 10
    assert scoring["finite"] and scoring["visits"] == 264 and 0 < training["loss"] < 1
    assert record["memory_mib"]["estimated"] > 0 and record["memory_mib"]["peak"] > record["memory_mib"]["estimated"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("teacher_7b-")] == []   # no weights left
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["benchmark"] == "teacher_7b"


def test_the_weights_are_read_back_whole(program: ModuleType, tmp_path: Path) -> None:
    model = load_backbone(program.write_backbone("tiny", tmp_path), torch.device("cpu"), torch.float32, head=True)[1]
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())
    assert float(model.model.layers[1].mlp.up_proj.weight.std()) == pytest.approx(0.02, rel=0.1)
    assert float(model.model.norm.weight.min()) == 1.0
    assert len(list(tmp_path.glob("model-*.safetensors"))) == 5   # embedding, two blocks, norm, head


def test_a_disk_without_room_is_told_beforehand(program: ModuleType, tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(100, 99, 1))
    with pytest.raises(SystemExit, match="the weights take 13.5 GB and the disk has no room"):
        program.write_backbone("7b", tmp_path)
    assert list(tmp_path.iterdir()) == []
