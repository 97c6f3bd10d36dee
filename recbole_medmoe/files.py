"""Files that are whole or not there: what a kill or a full disk interrupts leaves the earlier file intact."""
from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from .errors import MedMoEError

__all__ = ["atomic_write", "file_sha256", "sync_folder"]


def atomic_write(path: str | Path, content: bytes, private: bool = False) -> None:
    """Writes ``content`` under a temporary name beside ``path``, syncs it and renames it.

    Args:
        private: only the owner may read it; else it keeps the permissions of the file that it replaces.

    Raises:
        MedMoEError: the disk is full, or the folder is missing or not writable; an earlier file is as it was.
    """
    path = Path(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o600 if private else _mode(path))
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as fault:
        if temporary:
            with suppress(FileNotFoundError):   # already renamed
                os.unlink(temporary)
        if isinstance(fault, OSError):
            raise MedMoEError(f"{path}: cannot be written ({fault.strerror or fault}); "
                              "free space or choose another folder. An earlier file is unchanged") from fault
        raise


def _mode(path: Path) -> int:
    """Permissions of the file that is replaced, else what the process gives new files."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def sync_folder(folder: Path) -> None:
    """Makes a rename inside ``folder`` last; only POSIX systems can open a folder for that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file as hexadecimal digits, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
