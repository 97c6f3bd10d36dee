"""Run folders: ``runs/<dataset>/<model>/<run_id>/`` with its record and its rows."""
from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone
from pathlib import Path

from ..errors import RecordError

__all__ = ["new_run_id", "run_folder"]


def new_run_id() -> str:
    """Time in UTC and six random hexadecimal digits: sorts by start, and two machines do not meet."""
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def run_folder(runs_dir: str | Path, dataset: str, model: str, run_id: str, private: bool = False) -> Path:
    """Makes the folder of a new run.

    Args:
        private: the data are derived from credentialed ones: only the owner may enter the folder.

    Raises:
        RecordError: a name that is no folder name, or a run of this id is there already.
    """
    for part in (dataset, model, run_id):
        if not re.fullmatch(r"[\w][\w.+:-]*", part):
            raise RecordError(f"'{part}' cannot name a folder; use letters, digits, '_', '-' and '.'")
    folder = Path(runs_dir) / dataset / model / run_id
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700 if private else 0o777)
    except FileExistsError as fault:
        raise RecordError(f"{fault.filename}: is there already; nothing is overwritten, give another run id or "
                          "runs_dir") from fault
    except OSError as fault:
        raise RecordError(f"{folder}: cannot be made ({fault.strerror}); give another runs_dir") from fault
    return folder
