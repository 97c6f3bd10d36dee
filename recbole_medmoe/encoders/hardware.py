"""In which number format a frozen backbone runs on this machine."""
from __future__ import annotations

from pathlib import Path

import torch

_CPU_FLAGS = Path("/proc/cpuinfo")


def compute_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor computes in it, else float32 (there bfloat16 would be slower, not faster)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu" and _CPU_FLAGS.is_file():
        flags = _cpu_flags(_CPU_FLAGS.read_text(encoding="utf-8", errors="replace"))
        return torch.bfloat16 if flags & {"avx512_bf16", "amx_bf16"} else torch.float32
    return torch.float32


def _cpu_flags(text: str) -> set[str]:
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()
