"""What this machine can do for a frozen backbone: its number format, and its memory."""
from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import psutil
import torch

from ..errors import ConfigError

_CPU_FLAGS = Path("/proc/cpuinfo")


def compute_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor computes in it, else float32 (there bfloat16 would be slower, not faster)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu" and _CPU_FLAGS.is_file():
        flags = _cpu_flags(_CPU_FLAGS.read_text(encoding="utf-8", errors="replace"))
        return torch.bfloat16 if flags & {"avx512_bf16", "amx_bf16"} else torch.float32
    return torch.float32


def whole_memory(device: torch.device) -> int:
    """Bytes of memory that a device has in all; of the machine, where it is no GPU."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)


@contextmanager
def naming_memory(device: torch.device, batch_tokens: int, setting: str = "encode_batch_tokens") -> Iterator[None]:
    """Names the setting to lower where the memory of a device runs out.

    Raises:
        ConfigError: it did.
    """
    try:
        yield
    except RuntimeError as fault:
        if not isinstance(fault, torch.OutOfMemoryError) and "allocate memory" not in str(fault):
            raise
        raise ConfigError([f"memory of {device} ran out on a batch of {batch_tokens} tokens; "
                           f"lower --{setting}"]) from fault


def _cpu_flags(text: str) -> set[str]:
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()
