from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recbole_medmoe.encoders import hardware


@pytest.mark.parametrize(("flags", "expected"), [
    ("fpu avx512f avx512_bf16", torch.bfloat16), ("fpu amx_bf16 amx_tile", torch.bfloat16),
    ("fpu avx512f avx512_vnni", torch.float32), ("", torch.float32),
])
def test_bfloat16_only_where_the_processor_computes_in_it(flags: str, expected: torch.dtype, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(f"model name\t: some\nflags\t\t: {flags}\n")
    monkeypatch.setattr(hardware, "_CPU_FLAGS", tmp_path / "cpuinfo")
    assert hardware.compute_dtype(torch.device("cpu")) == expected


def test_float32_where_nothing_is_known_of_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_CPU_FLAGS", tmp_path / "none")
    assert hardware.compute_dtype(torch.device("cpu")) == torch.float32
