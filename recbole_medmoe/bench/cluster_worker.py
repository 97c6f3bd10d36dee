"""What a Dask worker does for us: ``dask worker tcp://... --preload recbole_medmoe.bench.cluster_worker``.

The worker advertises how many orders it takes: one per GPU (resources GPU and JOB), or one where it has none (JOB).
"""
from __future__ import annotations

import base64
import hashlib
import json
import queue
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

from .engine import Process

JOB, GPU = "JOB", "GPU"
_devices: queue.SimpleQueue[str | None] = queue.SimpleQueue()


def dask_setup(worker: Any) -> None:
    """Called by Dask when the worker starts, before it tells the scheduler of itself."""
    import torch

    count = torch.cuda.device_count()
    for number in range(max(count, 1)):
        _devices.put(f"cuda:{number}" if count else None)
    for name, number in ((JOB, max(count, 1)), (GPU, count)):
        worker.state.total_resources[name] = worker.state.available_resources[name] = number


def carry_out(text: str, salts: dict[str, str]) -> dict[str, Any]:
    """Runs one order in a process of its own and gives back all that it left.

    Args:
        text: of `engine.Order.text`; its folder is replaced by a temporary one.
        salts: data set to the salt of its hashed ids in base 64, so that rows made here pair with those made elsewhere.

    Returns:
        ``result``, ``message``, ``output`` as `engine.Answer`; ``files``: path to bytes; ``sha256``: path to its hash;
        ``private``: folders that only their owner may enter.
    """
    device = _devices.get()
    try:
        with tempfile.TemporaryDirectory(prefix="medmoe-") as name:
            folder = Path(name)
            for dataset, salt in salts.items():
                (folder / dataset).mkdir()
                (folder / dataset / ".salt").write_bytes(base64.b64decode(salt))
            order = json.loads(text)
            if device is not None:
                order["values"]["device"] = device
            answer = _wait(Process(json.dumps({**order, "folder": str(folder)})))
            # Without an answer that counts, what is there is half a run.
            files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
                     if path.is_file() and path.name != ".salt" and answer.result is not None}
            private = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))
                       if path.is_dir() and not stat.S_IMODE(path.stat().st_mode) & 0o077]
            return {"result": answer.result, "message": answer.message, "output": answer.output, "files": files,
                    "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
                    "private": private}
    finally:
        _devices.put(device)


def _wait(process: Process) -> Any:
    """The process's answer; it is ended where nobody waits for it any more."""
    from distributed import get_worker
    from distributed.worker import thread_state

    tasks, key = get_worker().state.tasks, thread_state.key
    while not process.is_done:
        time.sleep(.05)
        task = tasks.get(key)
        if task is None or task.state == "cancelled":
            process.end()
            raise RuntimeError("the job was given up")
    return process.answer()
