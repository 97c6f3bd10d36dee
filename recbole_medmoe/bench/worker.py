"""One order in a process of its own: ``python -m recbole_medmoe.bench.worker FOLDER`` reads order.json there and leaves
answer.json. What it prints, and the trace of an error, are its log."""
from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Mapping

from ..errors import Caught, MedMoEError
from ..files import atomic_write

__all__ = ["ANSWER", "KINDS", "ORDER", "carry_out", "run"]
KINDS = {"run": "recbole_medmoe.bench.worker:run", "trial": "recbole_medmoe.bench.search.trying:run_trial"}
"""Kind of an order to the function that carries it out: ``function(values, folder)`` gives back JSON values."""
ORDER, ANSWER = "order.json", "answer.json"


def run(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Makes one run.

    Args:
        values: ``model``, ``dataset``, ``split`` ('' or None is the data set's own way) and ``overrides``; ``device``
            where an engine gives one, ``profile`` where a trace is asked for.
        folder: where run folders go.

    Returns:
        ``folder``: the run folder below it.
    """
    from ..config import MedConfig
    from ..quick_start.running import run_config

    place = {key: values[key] for key in ("device", "profile") if values.get(key)}
    config = MedConfig(values["model"], values["dataset"], split=values["split"] or None,
                       overrides={**values["overrides"], **place})
    return {"folder": run_config(config, runs_dir=folder).folder.relative_to(folder).as_posix()}


def carry_out(place: Path) -> None:
    """Does what ``order.json`` says and writes ``answer.json``: ``{"result": ...}`` or ``{"message": ...}``."""
    order = json.loads((place / ORDER).read_text(encoding="utf-8"))
    answer: dict[str, Any] = {}
    with Caught() as caught:   # told by the process that asked
        module, name = KINDS[order["kind"]].split(":")
        answer["result"] = getattr(importlib.import_module(module), name)(order["values"], Path(order["folder"]))
    if caught.error is not None:
        traceback.print_exception(caught.error)
        answer = {"message": _first_line(caught.error)}
    atomic_write(place / ANSWER, json.dumps(answer).encode())


def _first_line(error: BaseException) -> str:
    text = str(error) if isinstance(error, MedMoEError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the process that asked is gone, however it went."""
    os.read(0, 1)   # not through `sys.stdin`: Python aborts at its end where a thread still holds that
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    carry_out(Path(sys.argv[1]))
