"""What a stretch of code opens for writing, and whom it calls over the network."""
from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, Sequence

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SECOND_PATH = ("os.rename", "os.link", "os.symlink")   # the path that comes to be is their second argument
_FIRST_PATH = ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "sqlite3.connect")
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")


@dataclass
class Watched:
    """What was seen.

    Attributes:
        allowed: folders in which writing is nobody's business.
        writes: absolute paths that were written, made, renamed or removed elsewhere.
        calls: addresses that were called, each refused.
    """

    allowed: tuple[Path, ...]
    writes: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def note_write(self, path: Any) -> None:
        """Notes a path outside the allowed folders."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return   # a file that is open already
        place = Path(os.path.abspath(os.fsdecode(path)))
        if place.parts[:2] != (place.anchor, "dev") and not any(place.is_relative_to(room) for room in self.allowed):
            self.writes.append(str(place))


_watched: list[Watched] = []
_installed: list[bool] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    """Python's audit hook: every open, rename and connection of the process passes here, whoever asks for it."""
    if not _watched:
        return
    seen = _watched[-1]
    if event == "open" and args[2] is not None and args[2] & _WRITING:
        seen.note_write(args[0])
    elif event in _FIRST_PATH:
        seen.note_write(args[0])
    elif event in _SECOND_PATH:
        seen.note_write(args[1])
    elif event in _NETWORK:
        address = args[0] if event.startswith("socket.get") else args[1]
        if isinstance(address, (str, tuple)) and not (event == "socket.connect" and isinstance(address, str)):
            seen.calls.append(f"{event.removeprefix('socket.')} {address}")
            raise ConnectionRefusedError(f"no network while a recommender is checked: {seen.calls[-1]}")


@contextmanager
def watching(scratch: Path, allowed: Sequence[Path]) -> Iterator[Watched]:
    """Works in a scratch folder, refuses every connection, and notes every write outside the allowed folders.

    Python's own audit events tell of files that Python opens. What a library opens by itself (torch's and safetensors'
    writers) is seen where it lands in the working or the temporary folder, both in ``scratch`` meanwhile. Other
    processes are not watched. An audit hook can not be taken away again: it stays, and does nothing.

    Args:
        scratch: an empty folder.
        allowed: folders that may be written.
    """
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
    for name in ("cwd", "tmp"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    before = _tree(scratch)
    seen = Watched(tuple(Path(os.path.abspath(room)) for room in allowed))
    kept = os.getcwd(), tempfile.tempdir, sys.dont_write_bytecode
    os.chdir(scratch / "cwd")
    tempfile.tempdir, sys.dont_write_bytecode = str(scratch / "tmp"), True
    _watched.append(seen)
    try:
        yield seen
    finally:
        _watched.pop()
        os.chdir(kept[0])
        tempfile.tempdir, sys.dont_write_bytecode = kept[1], kept[2]
        after = _tree(scratch)
        seen.writes += [path for path in after if after[path] != before.get(path) and path not in seen.writes]


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Absolute path of each file below a folder to its size and time of change."""
    found = {str(path): path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}
