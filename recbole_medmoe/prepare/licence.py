"""Whether raw records are openly licensed, and the licence file of what is made from them."""
from __future__ import annotations

from pathlib import Path

__all__ = ["is_open", "open_licence"]
ODBL_TITLE = "Open Database License"


def is_open(folder: Path) -> bool:
    """Whether a folder's LICENSE.txt says that it is openly licensed; without that word it counts as credentialed."""
    licence = folder / "LICENSE.txt"
    return licence.is_file() and ODBL_TITLE in licence.read_text(encoding="utf-8")


def open_licence(folder: Path, notice: str) -> dict[str, str]:
    """``LICENSE-ODbL.txt`` of a data set made from an open folder: the notice, then the licence as it came.

    Returns:
        File name -> text, as the ``licences`` of ``prepare.visits.document.About``.
    """
    licence = (folder / "LICENSE.txt").read_text(encoding="utf-8").rstrip()
    return {"LICENSE-ODbL.txt": f"{notice.rstrip()}\n\n{licence}\n"}
