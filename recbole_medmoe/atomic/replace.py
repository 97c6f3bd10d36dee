"""Puts a finished data set folder in the place of an earlier one, so that a kill loses neither."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..files import sync_folder
from ..paths import set_aside

__all__ = ["replace_folder", "restore_folder"]


def replace_folder(made: Path, out: Path) -> None:
    """Syncs ``made`` to the disk, gives it the place of ``out`` and removes what was there.

    No system renames a folder over one that holds files. Hence two renames, one right after the other; what a kill
    between them leaves, ``<parent>/.<name>.before``, ``restore_folder`` puts back.

    Args:
        made: the finished folder, on the same disk as ``out``.
        out: its place; a folder that is there is replaced.

    Raises:
        OSError: it cannot be put there; the earlier folder is as it was.
    """
    for path in made.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    before = set_aside(out)
    _remove(before)
    try:
        if os.path.lexists(out):
            os.replace(out, before)
        os.replace(made, out)
    except BaseException:
        restore_folder(out)
        raise
    sync_folder(out.parent)
    _remove(before)


def restore_folder(out: Path) -> None:
    """Puts the earlier folder back that a kill of ``replace_folder`` left aside; else does nothing."""
    before = set_aside(out)
    if os.path.lexists(before) and not os.path.lexists(out):
        os.replace(before, out)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
